// Journey 15: apps behind a proxy of other people. It asks for what is missing, at
// the page that was wanted, and leads back to that page. The network of the browser is
// a relay, as the proxy believes nobody's word about their address.
import assert from "node:assert/strict";
import { makeAccount } from "./admin.mjs";
import { files, moves, proxy, reached, redirected, wiki } from "./apps.mjs";
import { address, journey, linkIn, now, scripted, wait, walks } from "./person.mjs";

const page = `${wiki}/page?x=1&y=a%20b`;
const security = "/settings/user/security";

// One proxy gets all, the others what goes through them.
const all = proxy === "nginx";
const some = (title, walk, on) => all ? journey(`${proxy}: ${title}`, walk, on) : undefined;
const each = (title, walk, on = all ? walks : scripted) => journey(`${proxy}: ${title}`, walk, on);

let networks = 10;
const another = async () => { const ip = `127.0.1.${++networks}`; await moves(ip); return ip; };

// settles is a person with an account, whose requests lie about who they are.
async function settles(p, twoStep, ...flags) {
	p.home = await another();
	makeAccount(p.email, p.name, p.password, ...flags);
	await p.context.setExtraHTTPHeaders({
		"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": new URL(files).host, "X-Forwarded-Uri": "/public", "X-Original-URL": `${wiki}/public`,
		"Remote-User": "root", Remote_User: "root", "Remote-Groups": "staff", "X-2SV-At": "2036-01-01T00:00:00Z", X_2SV_At: "2036-01-01T00:00:00Z",
	});
	if (!twoStep) return;
	await p.signIn();
	await p.enable();
}

// isAsked: the page is one of ours, which leads back.
async function isAsked(p, path, title, to = page) {
	const url = new URL(p.page.url());
	assert.equal(url.origin + url.pathname, address + path);
	await p.isTitled(title);
	await p.sees(`For ${new URL(to).hostname}`);
}

// arrives waits for a page of an app, and gives what the app was told.
async function arrives(p, to = page, tab = p.page) {
	const got = await reached(tab, to);
	assert.equal(`http://${got.Host}${got.URI}`, to, "what the app was asked for");
	const said = Object.fromEntries(Object.entries(got.Header).filter(([name]) => /^(remote|x)[^a-z0-9](user|email|name|groups|2sv)/i.test(name)).map(([name, values]) => [name, values.join(" and ")]).filter(([, value]) => value));
	return said; // nginx leaves out what is empty
}

// opens looks at a page, which is there at once, and gives the pages of ours by which it came.
async function opens(p, to = page) {
	const answer = await p.page.goto(to);
	assert.equal(p.page.url(), to);
	assert.equal(answer.status(), 200);
	const way = redirected(answer).filter((url) => url.startsWith(`${address}/`)).map((url) => new URL(url).pathname);
	return { said: await arrives(p, to), way };
}

// connects tells whether the page of an app that is shown gets its WebSocket.
const connects = (p) => p.page.evaluate(() => new Promise((done) => {
	const socket = new WebSocket(`ws://${location.host}/live`);
	socket.onopen = () => done(true);
	socket.onerror = () => done(false);
}));

function isTold(said, p, groups, method = "otp") {
	const { "X-2sv-At": at, ...rest } = said;
	assert.deepEqual({ "Remote-Groups": "", "X-2sv-Method": "", ...rest }, { "Remote-User": p.email, "Remote-Email": p.email, "Remote-Name": p.name, "Remote-Groups": groups, "X-2sv-Method": method });
	return at;
}

async function recent(at) {
	assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
	const age = await now() - Date.parse(at);
	assert.ok(age > -1000 && age < 60_000, `the second step was at ${at}`);
}

each("sign in on the way to an app", async (p) => {
	await settles(p, true, "--group", "staff,board");
	await p.press("Sign out");
	await p.page.goto(page);
	await isAsked(p, "/sign-in", "Sign in");
	if (all) await p.look("signin-app");
	for (const language of all ? ["Čeština", "English"] : []) await p.press(language); // the way is kept
	await isAsked(p, "/sign-in", "Sign in");
	await p.giveIn();
	await isAsked(p, "/verify", "Enter the code from your authenticator app");
	if (all) await p.look("verify-app");

	// A page leads on. As this one is to be looked at, the app does not answer at first.
	const held = (url) => url.origin === wiki;
	await p.context.route(held, (route) => route.fulfill({ status: 204 }));
	await p.confirm();
	await p.sees("On to wiki.localhost");
	assert.equal(new URL(p.page.url()).pathname, "/auth/handover");
	await p.isTitled("On to wiki.localhost");
	if (all) await p.look("onward");
	await p.context.unroute(held);
	await p.link("Continue").click();
	await recent(isTold(await arrives(p), p, "board,staff"));
	if (p.way.script) assert.equal(await connects(p), true);

	// Another app opens by itself, once by way of us.
	let opened = await opens(p, `${files}/a%2Fb?c=d`);
	assert.deepEqual(opened.way, ["/auth/handover"]);
	await recent(isTold(opened.said, p, "board,staff"));
	opened = await opens(p, `${files}/a%2Fb?c=d`);
	assert.deepEqual(opened.way, []);
	assert.deepEqual((await opens(p, `${wiki}/staff/a`)).way, []);

	// Nobody gets there who signed out, not even with the cookies of apps.
	await p.go(security);
	await p.press("Sign out");
	for (const to of [page, `${files}/`]) {
		await p.page.goto(to);
		await isAsked(p, "/sign-in", "Sign in", to);
	}
	if (p.way.script) {
		await opens(p, `${wiki}/public/a`);
		assert.equal(await connects(p), false);
		await p.page.goto(`${files}/`);
	}
	// And without holding it, the page leads on by itself.
	await p.giveIn();
	await p.confirm();
	isTold(await arrives(p, `${files}/`), p, "board,staff");
});

each("asked again at an app", async (p) => {
	await settles(p, true);
	isTold((await opens(p)).said, p, "");

	// By the network.
	const cafe = await another();
	await p.page.goto(page);
	await isAsked(p, "/verify", "You’re on a new network");
	await p.sees("Your IP address has changed, so we ask for a new code.");
	assert.deepEqual(await p.page.locator("dl > div").allInnerTexts(), [`Your IP address now\n${cafe}`, `Last verified from\n${p.home}`]);
	await p.confirm("000 00", 422);
	await isAsked(p, "/verify", "Error: You’re on a new network");
	await p.confirm();
	await recent(isTold(await arrives(p), p, ""));
	assert.deepEqual((await opens(p)).way, []);
	await moves(p.home);
	await p.page.goto(page);
	await isAsked(p, "/verify", "You’re on a new network");
	await p.confirm();
	await arrives(p);

	// By time.
	await wait("31d");
	const api = await p.page.evaluate(async () => {
		const r = await fetch("/api", { method: "POST", body: "x" });
		return { status: r.status, type: r.headers.get("Content-Type"), challenge: r.headers.get("WWW-Authenticate"), problem: await r.json() };
	});
	assert.equal(api.status, 401);
	assert.equal(api.type, "application/problem+json");
	assert.equal(api.challenge, `Bearer error="insufficient_user_authentication", max_age=2592000`);
	assert.equal(api.problem.reason, "code_too_old");
	await p.page.goto(api.problem.url);
	await isAsked(p, "/verify", "It’s been 30 days");
	await p.page.goto(page);
	await isAsked(p, "/verify", "It’s been 30 days");
	await p.confirm();
	await recent(isTold(await arrives(p), p, ""));

	// By the app's rule, for some of its pages only.
	await wait("6m");
	assert.deepEqual((await opens(p)).way, []);
	await p.page.goto(`${wiki}/admin/a?b=c`);
	await isAsked(p, "/verify", "Confirm it’s you");
	if (all) await p.look("verify-app-again");
	await p.confirm();
	await arrives(p, `${wiki}/admin/a?b=c`);
}, scripted);

some("two tabs at once", async (p) => {
	await settles(p, true);
	await p.press("Sign out");
	const one = p.page, two = await p.context.newPage();
	const first = `${wiki}/one`, second = `${wiki}/two`;
	const sits = async (tab, walk) => { p.page = tab; await walk(); };
	for (const [tab, to] of [[one, first], [two, second]]) {
		await sits(tab, async () => { await tab.goto(to); await isAsked(p, "/sign-in", "Sign in"); });
	}
	// The first step of one tab is that of the other one as well.
	await sits(one, async () => { await p.giveIn(); await p.confirm(); await arrives(p, first); });
	await sits(two, async () => { await two.reload(); await arrives(p, second); });

	// Both ask for a code. The second tab sends its own, which is one more.
	await another();
	for (const [tab, to] of [[one, first], [two, second]]) {
		await sits(tab, async () => { await tab.goto(to); await isAsked(p, "/verify", "You’re on a new network"); });
	}
	await sits(one, async () => { await p.confirm(); await arrives(p, first); });
	await sits(two, async () => { await p.confirm(); await arrives(p, second); });
	await sits(one, async () => { await opens(p, first); });

	// Both sign in. The older session is still good for the app.
	await p.go(security);
	await p.press("Sign out");
	for (const [tab, to] of [[one, first], [two, second]]) {
		await sits(tab, async () => { await tab.goto(to); await isAsked(p, "/sign-in", "Sign in"); });
	}
	await sits(one, async () => { await p.giveIn(); });
	await sits(two, async () => { await p.giveIn(); await p.confirm(); await arrives(p, second); });
	await sits(one, async () => { await one.reload(); await arrives(p, first); });
	await two.close();
}, scripted);

some("who may not, and who has no second step", async (p) => {
	await settles(p, false);
	assert.deepEqual((await opens(p, `${wiki}/public/a`)).said, {});
	await p.page.goto(`${files}/`);
	await isAsked(p, "/sign-in", "Sign in", `${files}/`);
	await p.giveIn();
	assert.equal(isTold(await arrives(p, `${files}/`), p, "", ""), undefined);

	await p.page.goto(page);
	await isAsked(p, "/required", "2-step verification is required");
	await p.look("required-app");
	await p.press("Enable Authenticator app");
	p.key = await p.setupKey();
	await p.confirm();
	await arrives(p);

	const refused = await p.page.goto(`${wiki}/staff?a=b`);
	assert.equal(refused.status(), 403);
	assert.equal(new URL(p.page.url()).pathname, "/auth/handover");
	await p.sees(`${p.email} may not open wiki.localhost.`);
	await p.look("message-app");
}, scripted);

some("an account is made on the way, and the password forgotten", async (p) => {
	await another();
	await p.page.goto(page);
	await isAsked(p, "/sign-in", "Sign in");
	await p.follow("Create an account");
	await p.fill("Your name", p.name);
	await p.fill("E-mail address", p.email);
	await p.fill("Password", p.password);
	await p.press("Create account");
	await p.giveIn();
	await p.confirmAddress();
	await p.sees("Your e-mail address is confirmed.");
	await p.look("emaildone-app");
	await p.follow("On to wiki.localhost");
	await isAsked(p, "/required", "2-step verification is required");
	await p.press("Enable Authenticator app");
	p.key = await p.setupKey();
	await p.confirm();
	await arrives(p);

	await p.go(security);
	await p.press("Sign out");
	await p.page.goto(page);
	await isAsked(p, "/sign-in", "Sign in");
	await p.follow("Forgot your password?");
	await p.fill("E-mail address", p.email);
	await p.press("Send link");
	await p.go(linkIn(await p.letter("Twinlatch: reset your password")));
	p.password = "yellow bus after eleven";
	await p.fill("New password", p.password);
	await p.press("Change password");
	await p.follow("Sign in");
	await isAsked(p, "/sign-in", "Sign in");
	await p.giveIn();
	await p.confirm();
	await arrives(p);
});
