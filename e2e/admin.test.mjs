// Journey 12: administrators find accounts and change them.
import assert from "node:assert/strict";
import { before } from "node:test";
import { administrator, ben, find, makeAccount, words } from "./admin.mjs";
import { journey, wait } from "./person.mjs";

const security = "/settings/user/security";
const reason = "Lost phone, checked by video call";

before(() => {
	for (let n = 1; n <= 26; n++) makeAccount(`staff.${String(n).padStart(2, "0")}@example.com`, `Staff ${n}`, "violet tram before noon", "--group", "crew");
});

journey("administrators have a second step", async (p) => {
	p.name = "Ada Byron";
	makeAccount(p.email, p.name, p.password, "--admin");
	await p.signIn();
	await p.follow("Accounts", 403);
	await p.isTitled("Turn on 2-step verification first");
	await p.look("adminoff");
	await p.follow("Turn on 2-step verification");
	p.isAt(security);
	await p.enable();
	await p.follow("Accounts");
	await p.isTitled("Accounts");
	await p.follow("Settings");
	p.isAt(security);
});

journey("everybody else gets nothing", async (p) => {
	await p.signUp();
	await p.signIn();
	assert.equal(await p.link("Accounts").count(), 0);
	await p.go("/admin", 403);
	await p.sees("Only administrators can open this page.");
	await p.look("message-forbidden");
});

journey("find an account", async (p) => {
	await administrator(p);
	await p.follow("Accounts");
	await p.sees("Use of 2-step verification");
	await p.look("adminaccounts");
	await p.fill("Find an account", "STAFF");
	await p.press("Find");
	await p.sees("Accounts 1 to 25 of 26", "staff.25@example.com");
	await p.doesNotSee("staff.26@example.com");
	await p.follow("Next");
	await p.sees("Accounts 26 to 26 of 26", "staff.26@example.com");
	await p.follow("Previous");
	await p.follow("On 0");
	await p.sees("No account fits.");
	await p.look("adminaccounts-none");
	await p.follow("All 26");
	await p.follow("Staff 1");
	await p.isTitled("Account: Staff 1");
	await words(p, "staff.01@example.com", ", with a command on the server");
	await p.follow("crew");
	await p.sees("Group: crew");
	await p.follow("All groups");
});

journey("reset 2-step verification", async (p) => {
	const other = await ben(p);
	await administrator(p);
	await find(p, other.email, "Ben Okafor");
	await p.isTitled("Account: Ben Okafor");
	await words(p, other.email, "Authenticator app: Authenticator app", "Activity of this account", "2-step verification turned on");
	await p.look("adminaccount");
	const account = new URL(p.page.url()).pathname;

	// Before anything is typed it is asked who does it.
	await wait("11m");
	await p.go("/admin");
	await p.fill("Find an account", other.email);
	await p.press("Find");
	await p.follow("Reset 2-step verification of Ben Okafor");
	p.isAt(`/verify?return_to=${encodeURIComponent(`${account}/reset`)}`);
	await p.confirm();
	p.isAt(`${account}/reset`);
	await p.isTitled("Reset 2-step verification for Ben Okafor?");
	await words(p, "removes every method and all backup codes", `e-mails ${other.email} to say that you did it`);
	await p.look("adminact");
	await p.press("Reset 2-step verification", 422);
	await p.isRefused("Reason", "Give a reason, in 200 characters at most.");
	await p.look("adminact-wrong");
	await p.fill("Reason", reason);
	await p.press("Reset 2-step verification");
	p.isAt(`${account}?done`);
	await words(p, "2-step verification was reset.", "Required, not set up", `By: ${p.email}`, `Reason: ${reason}`);
	await p.look("adminaccount-reset");

	await other.letter("Twinlatch: an administrator reset your 2-step verification");
	await other.go(security);
	other.isAt(`/sign-in?return_to=${encodeURIComponent(security)}`);
	await other.giveIn();
	await other.isTitled("2-step verification is required");
	await other.leave();
});

journey("groups, signing out, disabling, deleting", async (p) => {
	const other = await ben(p);
	await administrator(p);
	await find(p, other.email, "Ben Okafor");
	const account = new URL(p.page.url()).pathname;

	await p.follow("Change groups");
	await p.fill("Groups", "staff Night");
	await p.fill("Reason", "moved");
	await p.press("Save groups", 422);
	await p.isRefused("Groups", "Use 1 to 40 of a to z, 0 to 9 and hyphens for a group.");
	await p.look("adminact-groups");
	await p.fill("Groups", "staff admin");
	await p.press("Save groups", 422);
	await p.isRefused("Groups", "Only a command on the server puts an account into the group admin or takes it out.");
	await p.fill("Groups", "staff night-shift");
	await p.press("Save groups");
	p.isAt(`${account}?done`);
	await p.sees("The groups were saved.", "night-shift");

	await p.follow("Sign out everywhere");
	await p.fill("Reason", "laptop stolen");
	await p.press("Sign out everywhere");
	await p.sees("The account was signed out everywhere.", "Not signed in anywhere.");
	await other.go(security);
	other.isAt(`/sign-in?return_to=${encodeURIComponent(security)}`);

	await p.follow("Disable");
	await p.fill("Reason", "left");
	await p.press("Disable");
	await p.sees("The account is disabled.");
	await p.look("adminaccount-disabled");
	await other.fill("E-mail address", other.email);
	await other.fill("Password", other.password);
	await other.press("Sign in", 422);
	await p.follow("Enable account");
	await p.fill("Reason", "back");
	await p.press("Enable account");
	await p.sees("The account is enabled.");

	await p.follow("Delete");
	await p.isTitled("Delete Ben Okafor?");
	await p.look("adminact-delete");
	await p.follow("Cancel");
	p.isAt(account);
	await p.follow("Delete");
	await p.fill("Reason", "asked for it");
	await p.press("Delete");
	await p.sees("The account was deleted.");
	await p.go(account, 404);
	await p.go("/admin/events");
	await words(p, "deleted account", "Reason: asked for it");
	await other.context.close();
	assert.deepEqual(other.complaints, []);
});

// With the keyboard alone: to the list, into the search, to an account.
journey("with the keyboard", async (p) => {
	await administrator(p);
	await p.follow("Accounts");
	await p.page.keyboard.press("Tab");
	assert.equal(await p.focus(), "Skip to main content");
	await p.turn(async () => {
		await p.field("Find an account").focus();
		await p.page.keyboard.type("staff.07");
		await p.page.keyboard.press("Enter");
	});
	await p.turn(async () => {
		for (let tabs = 0; await p.focus() !== "Staff 7"; tabs++) {
			assert.ok(tabs < 40, "the account is reached");
			await p.page.keyboard.press("Tab");
		}
		await p.page.keyboard.press("Enter");
	});
	await p.isTitled("Account: Staff 7");
});
