// Journey 15 with one cookie for all hosts below example.test: the wiki there has no cookie of
// its own, the shop elsewhere does.
import assert from "node:assert/strict";
import { command } from "./admin.mjs";
import { cookies, files as shop, moves, reached, redirected, wiki } from "./apps.mjs";
import { address, journey, scripted, totp } from "./person.mjs";

const page = `${wiki}/page?x=1&y=a%20b`, security = "/settings/user/security";

const arrives = async (p, to) => assert.equal((await reached(p.page, to)).Header["Remote-User"].join(), p.email);

// opens gives the paths by which a page was reached.
async function opens(p, to) {
	const answer = await p.page.goto(to);
	await arrives(p, to);
	return redirected(answer).map((url) => new URL(url).pathname);
}

// keeps gives the cookies that the browser has for an address: name and domain.
const keeps = async (p, at) => (await cookies(p, at)).map((c) => {
	assert.deepEqual([c.path, c.secure, c.httpOnly, c.sameSite], ["/", true, true, "Lax"], c.name);
	return `${c.name} of ${c.domain}`;
}).sort();

journey("one cookie for a domain", async (p) => {
	command(["account", "create", "--email", p.email, "--name", p.name], `${p.password}\n`);
	// See forwardtls.test.mjs.
	const code = (steps) => totp(p.key, Date.now() + steps * 30_000);
	await p.signIn();
	await p.press("Enable Authenticator app");
	p.key = await p.setupKey();
	await p.confirm(code(0));

	// The wiki opens at once, the shop by way of us.
	assert.deepEqual(await opens(p, page), []);
	assert.deepEqual(await opens(p, `${shop}/`), ["/", "/auth/handover", "/.twinlatch/handover"]);
	const shared = "__Secure-twinlatch of .example.test";
	assert.deepEqual(await keeps(p, address), [shared]);
	assert.deepEqual(await keeps(p, wiki), [shared]);
	assert.deepEqual(await keeps(p, shop), ["__Host-twinlatch of shop.other.test", "__Host-twinlatch-state of shop.other.test"]);

	// Another network: one code is enough.
	await moves("127.0.3.7");
	await p.page.goto(page);
	await p.isTitled("You’re on a new network");
	await p.sees("For wiki.example.test");
	await p.confirm(code(1));
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
}, scripted);
