// Journey 10: all that happened to an account, with the reasons, a part of it, page
// by page, and as a file.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { address, journey, scripted, wait } from "./person.mjs";

const security = "/settings/user/security";
const activity = `${security}/activity`;
const rightToLeft = scripted.map((way) => ({ ...way, name: `${way.name}, right to left`, mirrored: true }));

const rows = (p) => p.page.locator("main .rows > li");
const row = (p, words) => rows(p).filter({ hasText: words }).first().innerText();
const tab = (p) => p.page.locator("main nav [aria-current]").innerText();

// rename gives the app of the person one name after the other, as the form on
// Security does.
async function rename(p, ...names) {
	await p.go(security);
	const id = (await p.page.locator("a[href$='/remove']").first().getAttribute("href")).split("/").at(-2);
	for (const name of names) {
		const res = await p.context.request.post(`${address}${security}/factors/${id}/rename`, { form: { name }, headers: { Origin: address }, maxRedirects: 0 });
		assert.equal(res.status(), 303, await res.text());
	}
}

// save follows a link to a file and reads it.
async function save(p, link) {
	const [download] = await Promise.all([p.page.waitForEvent("download"), p.link(link).click()]);
	return { name: download.suggestedFilename(), text: readFileSync(await download.path(), "utf8") };
}

// eventful has been asked for a code at log-in, on a new network and after 30 days.
async function eventful(p) {
	await p.from("203.0.113.24");
	await p.signUp();
	await p.signIn();
	await p.enable();
	await p.press("Sign out");
	await p.signIn();
	await p.from("192.0.2.77");
	await p.go(security);
	await p.confirm();
	await wait("720h");
	await p.go(security);
	await p.confirm();
	p.isAt(security);
}

journey("read all activity, and why", async (p) => {
	await eventful(p);
	await p.follow("See all activity");
	p.isAt(activity);
	await p.isTitled("Security activity");
	assert.equal(await tab(p), "All");
	await p.sees("Account created", "No second step: 2-step verification was off", "2-step verification turned on", "Right password, second step asked");
	assert.match(await row(p, "Asked because the IP address changed"), /^Confirmed: Authenticator app\n[^]*UTC · IP 192\.0\.2\.77 · Chrome, Linux$/);
	assert.match(await row(p, "Asked because 30 days had passed"), /^Confirmed: Authenticator app\n/);
	assert.match(await row(p, "Asked at log-in"), /^Signed in: Authenticator app\n/);
	await p.look("activity");

	// A part of it.
	const all = await rows(p).count();
	await p.follow("Log-ins");
	p.isAt(`${activity}?show=signin`);
	assert.equal(await tab(p), "Log-ins");
	await p.doesNotSee("Account created");
	await p.doesNotSee("Added: Authenticator app");
	const logins = await rows(p).count();
	await p.follow("Methods");
	assert.equal(await tab(p), "Methods");
	await p.sees("Added: Authenticator app", "2-step verification turned on");
	await p.doesNotSee("Signed in");
	await p.look("activity-methods");
	const methods = await rows(p).count();
	await p.follow("Account");
	await p.sees("Account created");
	assert.equal(await rows(p).count() + methods + logins, all);
	await p.follow("All");
	assert.equal(await rows(p).count(), all);
	await p.turn(() => p.page.locator("nav.trail a").click());
	p.isAt(security);
});

journey("hundreds of events, and all as a file", async (p) => {
	await p.signUp();
	await p.signIn();
	await p.enable();
	const names = [...Array(119).keys()].map((n) => `Phone ${n + 1}`);
	await rename(p, ...names, "=1+1, \"Žofie\"");
	await p.go(activity);
	await p.follow("Methods");
	assert.equal(await rows(p).count(), 50);
	await p.sees("Renamed: Authenticator app, =1+1, \"Žofie\"", "Renamed: Authenticator app, Phone 71");
	assert.equal(await p.link("Newer").count(), 0);
	await p.follow("Older");
	await p.sees("Renamed: Authenticator app, Phone 70", "Renamed: Authenticator app, Phone 21");
	assert.equal(await rows(p).count(), 50);
	assert.equal(await tab(p), "Methods");
	await p.look("activity-older");
	await p.follow("Older");
	await p.sees("Renamed: Authenticator app, Phone 20", "Added: Authenticator app");
	assert.equal(await p.link("Older").count(), 0);
	await p.follow("Newer");
	await p.sees("Renamed: Authenticator app, Phone 70", "Renamed: Authenticator app, Phone 21");
	await p.follow("Newer");
	await p.sees("Renamed: Authenticator app, Phone 71");
	assert.equal(await p.link("Newer").count(), 0);

	// The file has all of it, whatever the page shows, and the page stays.
	const here = p.page.url();
	const csv = await save(p, "Download CSV");
	assert.match(csv.name, /^security-activity-\d{4}-\d\d-\d\d\.csv$/);
	const lines = csv.text.split("\r\n");
	assert.equal(lines[0], "seq,at,type,what,reason,actor,why,kind,name,ip,user_agent,more");
	assert.match(lines[1], /,"'=1\+1, ""Žofie""",/);
	assert.match(lines.at(-2), /^1,[^,]+,account\.created,Account created,/);
	assert.equal(lines.at(-1), "");
	const { name, text } = await save(p, "Download JSON Lines");
	assert.match(name, /\.jsonl$/);
	const events = text.trimEnd().split("\n").map((line) => JSON.parse(line));
	assert.equal(events.length, lines.length - 2);
	assert.deepEqual(events.map((e) => e.seq), [...events.keys()].reverse().map((n) => n + 1));
	assert.equal(events[0].more.name, "=1+1, \"Žofie\"");
	assert.equal(p.page.url(), here);

	// Somebody with the password alone gets no file, and goes on at the page.
	const half = await p.elsewhere();
	await half.go("/sign-in");
	await half.giveIn();
	await half.go(`${activity}/download`);
	half.isAt(`/verify?return_to=${encodeURIComponent(activity)}`);
	await half.confirm();
	half.isAt(activity);
	await half.sees("Signed in: Authenticator app");
	await half.leave();
});

journey("activity in Czech", async (p) => {
	await eventful(p);
	await p.press("Čeština");
	await p.go(activity);
	await p.isTitled("Události zabezpečení");
	await p.sees("Vyžádáno, protože se změnila IP adresa", "Vyžádáno, protože kód chceme jednou za 30 dní", "Vyžádáno při přihlášení");
	await p.look("activity-cs");
});

journey("activity from right to left", async (p) => {
	await eventful(p);
	await p.context.addCookies([{ name: "lang", value: "ar-XB", url: address }]);
	await p.go(activity);
	assert.equal(await p.page.locator("html").getAttribute("dir"), "rtl");
	await p.look("activity-rtl");
}, rightToLeft);
