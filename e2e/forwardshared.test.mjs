// Journey 15 with one cookie for all hosts below example.test: the wiki there has no cookie of
// its own, the shop elsewhere does.
import assert from "node:assert/strict";
import { command } from "./admin.mjs";
import { address, journey, scripted, totp } from "./person.mjs";

const { E2E_WIKI: wiki, E2E_FILES: shop, E2E_NETWORK: network } = process.env;
const page = `${wiki}/page?x=1&y=a%20b`, security = "/settings/user/security";

async function arrives(p, to) {
	await p.page.waitForURL((url) => url.href === to);
	const got = JSON.parse(await p.page.locator("body").innerText());
	assert.equal(got.Header["Remote-User"].join(), p.email);
}

// cookies are those that the browser keeps for an address: name and domain.
const cookies = async (p, at) => (await p.context.cookies(at)).filter((c) => !c.name.includes("lang")).map((c) => {
	assert.deepEqual([c.path, c.secure, c.httpOnly, c.sameSite], ["/", true, true, "Lax"], c.name);
	return `${c.name} of ${c.domain}`;
}).sort();

// pages of ours by which the browser went to another page.
async function opens(p, to) {
	const response = await p.page.goto(to);
	assert.equal(p.page.url(), to);
	const found = [];
	for (let r = response.request().redirectedFrom(); r; r = r.redirectedFrom()) found.unshift(new URL(r.url()).pathname);
	await arrives(p, to);
	return found;
}

journey("one cookie for a domain", async (p) => {
	command(["account", "create", "--email", p.email, "--name", p.name], `${p.password}\n`);
	const code = (steps) => totp(p.key, Date.now() + steps * 30_000);
	await p.signIn();
	await p.press("Enable Authenticator app");
	p.key = await p.setupKey();
	await p.confirm(code(-1));

	// The wiki opens at once, the shop by way of us.
	assert.deepEqual(await opens(p, page), []);
	assert.deepEqual(await opens(p, `${shop}/`), ["/", "/auth/handover", "/.twinlatch/handover"]);
	const shared = "__Secure-twinlatch of .example.test";
	assert.deepEqual(await cookies(p, address), [shared]);
	assert.deepEqual(await cookies(p, wiki), [shared]);
	assert.deepEqual(await cookies(p, shop), ["__Host-twinlatch of shop.other.test", "__Host-twinlatch-state of shop.other.test"]);

	// Another network: one code is enough.
	const moved = await fetch(`${network}/?from=127.0.3.7`, { method: "POST" });
	assert.equal(moved.status, 200);
	await p.page.goto(page);
	await p.isTitled("You’re on a new network");
	await p.sees("For wiki.example.test");
	await p.confirm(code(0));
	await arrives(p, page);
	await opens(p, `${shop}/`);

	// And one sign-out.
	await p.go(security);
	await p.press("Sign out");
	for (const to of [page, `${shop}/`]) {
		await p.page.goto(to);
		assert.equal(new URL(p.page.url()).origin, address);
		await p.isTitled("Sign in");
	}
	await p.giveIn();
	await p.confirm(code(1));
	await arrives(p, `${shop}/`);
	assert.deepEqual(await opens(p, page), []);
}, scripted);
