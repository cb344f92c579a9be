// Journey 4: ten backup codes, shown once; each lets its owner in once, to add a
// method and no more.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { artefacts } from "./browser.mjs";
import { journey, scripted } from "./person.mjs";

const security = "/settings/user/security";

journey("get, keep and use backup codes", async (p) => {
	await p.signUp();
	await p.signIn();
	await p.enable();
	await p.sees("Get 10 backup codes now, in case you lose your mobile or YubiKey.");
	const codes = await p.codes();
	await p.isTitled("Save your backup codes");
	await p.sees("We show these codes only now. Keep them away from your password.", `Backup codes for ${p.email}`);
	assert.equal(new Set(codes).size, 10);
	for (const code of codes) assert.match(code, /^[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){3}$/);
	await p.look("backupcodes");

	const [download] = await Promise.all([p.page.waitForEvent("download"), p.link("Download").click()]);
	assert.equal(download.suggestedFilename(), "backup-codes.txt");
	const file = readFileSync(await download.path(), "utf8");
	assert.deepEqual(file.split("\n").filter((line) => codes.includes(line)), codes);
	assert.ok(file.startsWith(`Backup codes for ${p.email}\nMade `), file);

	// On paper there is the sheet and nothing else.
	await p.page.emulateMedia({ media: "print" });
	const sheet = (await p.words()).split("\n").filter((line) => line.trim());
	assert.deepEqual(sheet.slice(0, 2), ["Save your backup codes", "They let you in if you lose your mobile or YubiKey. Each code works once."]);
	assert.ok(sheet[2].startsWith(`Backup codes for ${p.email} · Made `), sheet[2]);
	assert.deepEqual(sheet.slice(3), codes);
	await p.page.screenshot({ path: `${artefacts}backupcodes-print${p.way.script ? "" : "-noscript"}.png`, fullPage: true });
	await p.page.emulateMedia({ media: "screen" });

	// They are shown once.
	await p.follow("I have saved these codes");
	p.isAt(security);
	await p.sees("10 of 10 left", "New backup codes made");
	await p.go(`${security}/backup-codes`);
	p.isAt(security);
	for (const code of codes) await p.doesNotSee(code);
	await p.look("security-codes");

	await p.unfold();
	const remove = await p.link("Remove Authenticator app").getAttribute("href");
	const old = p.page; // a tab that stays as it is
	await p.open();
	await p.go(security);
	await p.press("Sign out");
	await p.go("/sign-in?return_to=%2Fhelp");
	await p.giveIn();
	await p.follow("Try another way");
	await p.isTitled("Choose another way");
	await p.sees("None of these work?");
	await p.look("ways");
	await p.follow("Backup codes");
	await p.isTitled("Enter a backup code");
	await p.look("recover");
	for (const wrong of ["", "123456", "nothing like one"]) {
		await p.confirm(wrong, 422);
		await p.isRefused("Backup code", "That backup code is not right, or it was already used.");
	}
	await p.confirm("0000-0000-0000-0000", 422);
	await p.isRefused("Backup code", "That backup code is not right, or it was already used. You have 4 tries left.");
	await p.look("recover-wrong");
	await p.confirm(codes[6].toUpperCase().replaceAll("-", " "));
	p.isAt("/help");
	await p.go(security);
	await p.sees("9 of 10 left", "Backup code used, 9 left", "You signed in with a backup code. Add a new method first, then remove the one you lost.");
	await p.look("security-recovered");

	// With a code one may add and not remove. Nothing else is offered, and what an
	// old tab or an address still offers is refused.
	await p.unfold();
	for (const name of ["Remove Authenticator app", "Turn off 2-step verification", "Change password"]) assert.equal(await p.link(name).count(), 0, name);
	assert.equal(await p.button("Get new codes").count(), 0);
	await p.sees("You can get new codes once you have added a new method.");
	const now = p.page;
	for (const change of [
		async () => { await p.go(remove); await p.press("Remove", 403); },
		async () => { await p.go(`${security}/turn-off`); await p.press("Turn off", 403); },
		async () => { p.page = old; await p.press("Get new codes", 403); },
	]) {
		await change();
		await p.sees("A backup code is not enough for this. Add a new method first.");
	}
	p.page = now;
	await p.go(security);
	await p.unfold();
	await p.enable("Add authenticator app", `${security}/lost`);
	await p.go(security);
	await p.doesNotSee("You signed in with a backup code.");
	await p.unfold();
	await p.follow("Remove Authenticator app");
	await p.press("Remove");
	await p.sees("Removed: Authenticator app, Authenticator app");

	// A used code is used.
	await p.press("Sign out");
	await p.go("/sign-in");
	await p.giveIn();
	await p.follow("Try another way");
	await p.follow("Backup codes");
	await p.confirm(codes[6], 422);
	await p.isRefused("Backup code", "That backup code is not right, or it was already used. You have 4 tries left.");
	await p.go("/verify");
	await p.confirm();

	// New codes end the old ones.
	const fresh = await p.codes("Get new codes");
	assert.equal(new Set([...codes, ...fresh]).size, 20);
	await p.press("Sign out");
	await p.go("/sign-in");
	await p.giveIn();
	await p.go("/recover");
	await p.confirm(codes[0], 422);
	await p.isRefused("Backup code", "That backup code is not right, or it was already used. You have 4 tries left.");
	await p.confirm(fresh[0]);
	p.isAt(security);
	await p.sees("9 of 10 left");
});

journey("copy the backup codes", async (p) => {
	await p.context.grantPermissions(["clipboard-read", "clipboard-write"]);
	await p.signUp();
	await p.signIn();
	await p.enable();
	const codes = await p.codes();
	await p.button("Copy").click();
	await p.sees("Copied");
	assert.equal(await p.clipboard(), codes.join("\n"));
	assert.ok(await p.button("Print").isVisible());
}, scripted);
