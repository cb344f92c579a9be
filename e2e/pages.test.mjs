// Journey 8, the rest: pages that no other journey comes by, and whether what
// looks at all of them can see.
import assert from "node:assert/strict";
import { test } from "node:test";
import { axe, measure, overlaps } from "./eyes.mjs";
import { journey, now, Person, totp } from "./person.mjs";

journey("help", async (p) => {
	await p.go("/sign-in");
	await p.follow("Help");
	await p.isTitled("Help");
	await p.sees("Why am I asked for a code?", "after 30 days, and when your IP address changes");
	await p.look("help");
	await p.follow("Back");
	p.isAt("/sign-in");
});

// Before the journeys of this file: they cause mails.
test("an outbox without messages", async () => {
	const p = await Person.arrive();
	await p.go("/dev/outbox");
	await p.sees("No messages yet.");
	await p.look("devoutbox-empty");
	await p.leave();
	await p.context.close();
});

journey("development mode", async (p) => {
	await p.go("/");
	await p.sees("Development mode. Do not use real accounts.");
	await p.follow("Messages");
	await p.follow("Clock");
	await p.look("devclock");
	await p.signUp();
	await p.signIn();
	await p.enable();
	await p.letter("Twinlatch: 2-step verification was turned on");
	await p.follow("Messages");
	await p.sees(p.email, "Twinlatch: 2-step verification was turned on");
	await p.look("devoutbox");

	const before = await now();
	await p.follow("Clock");
	await p.press("+30 days");
	const after = await now();
	assert.ok(Math.abs(after - before - 30 * 24 * 3600_000) < 60_000);
	await p.sees(/The clock is \d+ days ahead\./);
	await p.press("+30 seconds");
	await p.press("+1 day");
	await p.sees(`Twinlatch: ${p.email}`);
	const shown = (await p.page.locator("p").filter({ hasText: p.email }).locator("code").innerText()).replace(" ", "");
	const at = await now();
	assert.ok([totp(p.key, at), totp(p.key, at - 30_000)].includes(shown), "the code on the page");
	await p.look("devclock-moved");
	await p.go("/settings/user/security");
	await p.isTitled("It’s been 30 days");
});

test("axe and the ruler see what is wrong", async () => {
	const p = await Person.arrive();
	await p.go("/sign-in");
	assert.deepEqual((await axe(p)).wrong, []);
	await p.page.evaluate(() => {
		document.querySelector("label").remove();
		document.querySelector(".btn").style.color = "#0c6080";
		document.querySelector("h1").style.width = "500px";
	});
	const found = (await axe(p)).wrong.map((w) => w.split(":")[0]);
	assert.deepEqual(found.sort(), ["color-contrast", "label"]);
	await assert.rejects(measure(p, "planted"), /wider than 320 pixels/);
	assert.deepEqual(await overlaps(p), []);
	await p.page.evaluate(() => { document.querySelector(".btn").style.translate = "0 -60px"; });
	assert.deepEqual(await overlaps(p), ["password: Sign in"]);
	await p.page.setViewportSize(p.way.size);
	await p.page.evaluate(() => { document.body.append(Object.assign(document.createElement("script"), { textContent: "1" })); });
	await assert.rejects(p.leave(), /Content Security Policy/);
});
