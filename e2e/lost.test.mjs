// Journey 4, the rest: the phone is lost. A backup code lets its owner in, and a
// guide leads from a new app by way of removing the lost one to new codes.
import assert from "node:assert/strict";
import { journey, totp, now } from "./person.mjs";

const security = "/settings/user/security";
const guide = `${security}/lost`;

// lose leaves the person with backup codes and without a phone, at Security.
async function lose(p) {
	await p.signUp();
	await p.signIn();
	await p.enable();
	const codes = await p.codes();
	await p.follow("I have saved these codes");
	await p.press("Sign out");
	await p.go("/sign-in");
	await p.giveIn();
	await p.follow("Try another way");
	await p.follow("Backup codes");
	await p.confirm(codes[0]);
	p.isAt(security);
	return codes;
}

const step = (p) => p.page.locator("[aria-current=step] h2").innerText();

journey("replace a lost phone", async (p) => {
	await lose(p);
	await p.sees("You signed in with a backup code. Add a new method first, then remove the one you lost.", "9 of 10 left");
	await p.look("security-lost");
	await p.follow("Replace what you lost");
	p.isAt(guide);
	await p.isTitled("Replace what you lost");
	assert.equal(await step(p), "Add a new method");
	await p.sees("You have 10 minutes for this. After that we ask for another backup code.", "9 of 10 left");
	await p.look("lost-add");

	// Changing one's mind leads back into the guide.
	await p.follow("Enable Text message");
	await p.follow("Cancel");
	p.isAt(guide);
	await p.press("Add authenticator app");
	await p.follow("Cancel");
	p.isAt(guide);

	const lost = p.key;
	await p.enable("Add authenticator app", guide);
	assert.equal(await step(p), "Remove what you lost");
	await p.sees("Just added");
	assert.equal(await p.link("Remove Authenticator app 2").count(), 0, "the new one stays");
	await p.look("lost-remove");
	await p.follow("Remove Authenticator app");
	await p.isTitled("Remove Authenticator app?");
	await p.follow("Cancel");
	p.isAt(guide);
	await p.follow("Remove Authenticator app");
	await p.press("Remove");
	p.isAt(guide);
	assert.equal(await step(p), "Get new backup codes");
	await p.look("lost-codes");

	const fresh = await p.codes("Get new codes");
	assert.equal(fresh.length, 10);
	await p.follow("I have saved these codes");
	p.isAt(security);
	await p.sees("10 of 10 left", "Removed: Authenticator app, Authenticator app");
	await p.doesNotSee("Replace what you lost");

	// The lost phone opens nothing any more.
	await p.press("Sign out");
	await p.go("/sign-in");
	await p.giveIn();
	await p.confirm(totp(lost, await now()), 422);
	await p.confirm();
	p.isAt(security);
});

journey("the phone is only at home", async (p) => {
	await lose(p);
	await p.follow("Replace what you lost");
	await p.follow("Do this later");
	p.isAt(security);
	await p.unfold();
	await p.enable("Add authenticator app", guide); // from Security as well
	await p.follow("I have all of these, nothing to remove");
	assert.equal(await step(p), "Get new backup codes");
	await p.follow("Done");
	p.isAt(security);
	await p.sees("Added: Authenticator app, Authenticator app 2", "9 of 10 left");
});

journey("everything is lost", async (p) => {
	await p.signUp();
	await p.signIn();
	await p.enable();
	await p.press("Sign out");
	await p.go("/sign-in");
	await p.giveIn();
	await p.follow("Try another way");
	await p.follow("Ask your administrator to reset 2-step verification");
	p.isAt("/help#no-codes");
	const section = p.page.locator("#no-codes");
	assert.ok(await section.evaluate((e) => e.getBoundingClientRect().top < innerHeight), "it is in sight");
	await p.sees("Ask your administrator to reset 2-step verification.", "They make sure that it is you.", "set up a method again, and get new backup codes.");
	await p.look("help-lost");
});
