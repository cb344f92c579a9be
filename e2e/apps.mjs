// What journeys to apps behind a proxy share. An app shows the request that it got.
import assert from "node:assert/strict";

const { E2E_NETWORK: network } = process.env;
export const { E2E_WIKI: wiki, E2E_FILES: files, E2E_PROXY: proxy } = process.env;

// moves brings everybody to another network: connections end.
export async function moves(ip) {
	const answer = await fetch(`${network}/?from=${ip}`, { method: "POST" });
	assert.equal(answer.status, 200, await answer.text());
	await new Promise((done) => setTimeout(done, 50)); // until this process has heard of its own, too
}

// reached waits for a page of an app and gives the request that it shows.
export async function reached(tab, to) {
	await tab.waitForURL((url) => url.href === to);
	return JSON.parse(await tab.locator("body").innerText());
}

// redirected gives the addresses that led to that of an answer.
export function redirected(answer) {
	const found = [];
	for (let r = answer.request().redirectedFrom(); r; r = r.redirectedFrom()) found.unshift(r.url());
	return found;
}

// cookies are those that the browser keeps for an address, but for the language.
export const cookies = async (p, at) => (await p.context.cookies(at)).filter((c) => c.name !== "lang");
