// Journey 7: whatever arrives, the answer says what happened and what to do.
import assert from "node:assert/strict";
import { address, journey, now, scripted, totp, wait } from "./person.mjs";

const security = "/settings/user/security";

journey("too many passwords", async (p) => {
	await p.signUp();
	for (let i = 0; i < 10; i++) {
		await p.fill("E-mail address", p.email);
		await p.fill("Password", `wrong ${i}`);
		await p.press("Sign in", 422);
	}
	await p.fill("Password", p.password);
	await p.press("Sign in", 429);
	await p.isTitled("Error: Sign in");
	await p.sees("Too many tries. Wait 15 minutes and try again.");
	assert.equal(await p.field("E-mail address").inputValue(), p.email);
	await p.look("signin-limited");
	// Elsewhere the owner gets in, and here after a while.
	const home = await p.elsewhere();
	await home.signIn();
	await home.leave();
	await wait("15m");
	await p.signIn();
}, scripted);

journey("hostile return_to", async (p) => {
	await p.signUp();
	await p.go("/sign-in?return_to=https%3A%2F%2Fevil.example%2F");
	await p.giveIn();
	p.isAt(security);
	for (const to of ["https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)", "/..//evil.example", "@evil.example", "/sign-out\u2028"]) {
		for (const at of ["/sign-in", "/verify", "/recover"]) {
			await p.go(`${at}?return_to=${encodeURIComponent(to)}`);
			p.isAt(security);
		}
	}
	await p.enable();
	await p.press("Sign out");
	await p.go("/sign-in?return_to=%2F%2Fevil.example");
	await p.giveIn();
	p.isAt("/verify");
	await p.go("/verify?return_to=%2F%5Cevil.example");
	await p.confirm();
	p.isAt(security);
});

journey("a form from another site, and too much of everything", async (p) => {
	await p.signUp();
	await p.signIn();
	await p.page.goto(`data:text/html,<form method=post action="${address}/sign-out"><button>Win a phone</button></form>`);
	await p.press("Win a phone", 403);
	await p.sees("That did not work", "This request came from another site, so we refused it. Open the page here and try again.");
	await p.look("message-origin");
	await p.go(security);
	p.isAt(security);
	await p.press("Sign out");
	await p.go("/sign-in");
	await p.fill("Password", "x".repeat(1 << 20));
	await p.press("Sign in", 413);
	await p.sees("That is too much data. Send less.");
	await p.look("message-large");
	await p.go("/settings/user/nonsense", 404);
	await p.sees("This page does not exist, or it is not yours.");
	await p.look("message-missing");
	await p.follow("Go to the start page");
	p.isAt("/sign-in");
});

journey("from nowhere", async (p) => {
	await p.signUp();
	await p.signIn();
	await p.enable();
	await p.from("not an address");
	await p.go(security);
	await p.isTitled("You’re on a new network");
	await p.sees("unknown");
	const code = totp(p.key, await now() + 30_000);
	await p.confirm(code, 403);
	await p.sees("We cannot tell which network you are on, so we cannot check a code now. Ask your administrator to check the proxy settings.");
	await p.look("verify-nowhere");
	await p.from("198.51.100.254");
	await p.confirm(code);
	p.isAt(security);
});
