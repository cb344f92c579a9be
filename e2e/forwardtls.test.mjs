// Journey 15 as it is in the world: TLS, and hosts that have nothing to do with each
// other. The server does not run in development mode, so time is real here.
import assert from "node:assert/strict";
import { command } from "./admin.mjs";
import { cookies, files as shop, moves, reached, wiki } from "./apps.mjs";
import { address, journey, scripted, totp } from "./person.mjs";

const page = `${wiki}/page?x=1&y=a%20b`;

async function arrives(p, to) {
	const got = await reached(p.page, to);
	assert.equal(got.Header["Remote-User"].join(), p.email);
	assert.equal(got.Header["X-Forwarded-Proto"].join(), "https");
}

journey("apps over TLS, with names of their own", async (p) => {
	command(["account", "create", "--email", p.email, "--name", p.name], `${p.password}\n`);
	// Time is real: a code that is used must be of a later step than the last one, and one of the
	// next step is accepted.
	const code = (steps) => totp(p.key, Date.now() + steps * 30_000);

	await p.page.goto(page);
	assert.equal(new URL(p.page.url()).origin, address);
	await p.sees("For wiki.example.test");
	await p.giveIn();
	await p.isTitled("2-step verification is required");
	await p.press("Enable Authenticator app");
	p.key = await p.setupKey();
	await p.confirm(code(0));
	await arrives(p, page);
	await p.page.goto(`${shop}/`);
	await arrives(p, `${shop}/`);

	const all = {};
	for (const at of [address, wiki, shop]) {
		all[at] = await cookies(p, at);
		for (const c of all[at]) {
			assert.deepEqual([c.domain, c.path, c.secure, c.httpOnly, c.sameSite], [new URL(at).hostname, "/", true, true, "Lax"], c.name);
		}
	}
	const names = (at) => all[at].map((c) => c.name).sort();
	assert.deepEqual(names(address), ["__Host-twinlatch"]);
	assert.deepEqual(names(wiki), ["__Host-twinlatch", "__Host-twinlatch-state"]);
	assert.deepEqual(names(shop), names(wiki));
	const tokens = Object.values(all).flat().map((c) => c.value);
	assert.equal(new Set(tokens).size, 5, "each cookie is another one");

	// Who has that of an app has that app, and nothing else.
	const thief = await p.elsewhere();
	const [own] = all[wiki].filter((c) => c.name === "__Host-twinlatch");
	for (const at of [wiki, address, shop]) await thief.context.addCookies([{ name: own.name, value: own.value, url: at, secure: true, httpOnly: true }]);
	await thief.page.goto(page);
	await arrives(thief, page);
	for (const to of [`${address}/settings/user/security`, `${shop}/`]) {
		await thief.page.goto(to);
		await thief.isTitled("Sign in");
	}
	await thief.leave();

	// On a new network both apps ask, and one answer is enough.
	await moves("127.0.2.7");
	await p.page.goto(`${shop}/basket`);
	await p.isTitled("You’re on a new network");
	await p.sees("For shop.other.test");
	await p.confirm(code(1));
	await arrives(p, `${shop}/basket`);
	await p.page.goto(page);
	await arrives(p, page);
	await p.go("/settings/user/security");
	await p.press("Sign out");
	for (const to of [page, `${shop}/`]) {
		await p.page.goto(to);
		await p.isTitled("Sign in");
	}
}, scripted);
