// Journey 11: an address is confirmed by the link in a mail; Profile; another address,
// and "This was not me", which brings the old one back.
import assert from "node:assert/strict";
import { journey, linkIn, wait } from "./person.mjs";

const security = "/settings/user/security";
const profile = "/settings/user/profile";

journey("confirm the address", async (p) => {
	await p.askForAccount();
	await p.sees("Check your e-mail", `We have sent a message to ${p.email}. Open the link in it to go on.`);
	assert.ok(!p.page.url().includes(p.email.replace("@", "%40")) && !p.page.url().includes(p.email), "no address in the URL");
	await p.look("signin-mailed");
	const first = linkIn(await p.letter("Twinlatch: confirm your e-mail address"));
	await p.turn(() => p.page.locator("main").getByRole("link", { name: "Messages" }).click());
	await p.sees("Twinlatch: confirm your e-mail address");
	await p.go("/sign-in");
	await p.doesNotSee("Check your e-mail");

	// Without it one can look around, and add nothing.
	await p.giveIn();
	p.isAt(security);
	const needed = `Confirm your e-mail address before you add a method. We have sent a link to ${p.email}.`;
	await p.sees(needed);
	await p.look("security-unconfirmed");
	await p.press("Enable Authenticator app", 403);
	await p.isTitled("Error: Confirm your e-mail");
	await p.sees(needed);
	await p.go(`${security}/add/text`, 403);
	await p.isTitled("Confirm your e-mail");
	await p.look("unconfirmed");
	await p.press("Send again");
	p.isAt(security);
	await p.sees("Link sent to confirm an e-mail address");

	await p.go(first);
	await p.isTitled("Confirm your e-mail");
	await p.sees(`Messages about your account go to ${p.email}. Confirm that they reach you.`);
	assert.equal(await p.focus(), "Confirm");
	await p.look("email");
	await p.press("Confirm");
	await p.sees("Your e-mail address is confirmed.");
	await p.look("emaildone");
	await p.follow("Continue");
	p.isAt(security);
	await p.doesNotSee("Confirm your e-mail address");
	await p.go(first, 410);
	await p.sees("This link no longer works", "Is your e-mail address still not confirmed?");
	await p.look("deadlink-email");
	await p.follow("Go to Security");
	await p.enable();
	await p.sees("2-step verification is on");
});

journey("an address that is taken", async (p) => {
	await p.signUp();
	await p.signIn();
	const mallory = await p.elsewhere();
	Object.assign(mallory, { name: "Mallory", password: "another one altogether" });
	await mallory.askForAccount();
	await mallory.sees("Check your e-mail", `We have sent a message to ${p.email}. Open the link in it to go on.`);
	const told = await p.letter("Twinlatch: you already have an account");
	assert.match(told, /^Hello Ana Novak,\n\nSomeone asked for an account with this e-mail address\. You have one already: sign in, or reset your password\./);
	assert.match(told, /\nhttps?:\S+\/sign-in\n/);
	assert.doesNotMatch(told, /Mallory|[a-z2-7]{26}/);
	await mallory.fill("E-mail address", p.email);
	await mallory.fill("Password", mallory.password);
	await mallory.press("Sign in", 422);
	await mallory.leave();
	await p.go(security);
	await p.sees("Someone asked for an account with this e-mail address");
});

journey("name and language", async (p) => {
	await p.signUp();
	await p.signIn();
	await p.follow("Profile");
	p.isAt(profile);
	await p.isTitled("Profile");
	await p.look("profile");
	await p.fill("Your name", "");
	await p.press("Save", 422);
	await p.isRefused("Your name", "Use 1 to 100 characters for the name.");
	await p.look("profile-wrong");
	await p.fill("Your name", "Žofie <b>Dvořáková</b>");
	await p.field("Language").selectOption("Čeština");
	await p.press("Save");
	p.isAt(profile);
	await p.isTitled("Profil");
	assert.equal(await p.field("Vaše jméno").inputValue(), "Žofie <b>Dvořáková</b>");
	assert.equal(await p.field("Jazyk").inputValue(), "cs");
	await p.follow("Zabezpečení");
	await p.sees("Jméno změněno");
	await p.follow("Profil");
	await p.field("Jazyk").selectOption("Podle prohlížeče");
	await p.press("Uložit");
	await p.isTitled("Profile");
	await p.follow("Change password");
	await p.isTitled("Change your password");
});

journey("another address", async (p) => {
	await p.signUp();
	await p.signIn();
	await p.enable();
	await wait("10m");
	await p.follow("Profile");
	await p.follow("Change e-mail address");
	await p.isTitled("Confirm it’s you"); // before anything is typed
	await p.confirm();
	p.isAt(`${profile}/address`);
	assert.equal(await p.focus(), "email");
	await p.look("address");
	await p.fill("New e-mail address", "ana at example");
	await p.press("Send link", 422);
	await p.isRefused("New e-mail address", "Enter an e-mail address, for example ana@example.com.");
	assert.equal(await p.field("New e-mail address").inputValue(), "ana at example");
	await p.look("address-wrong");
	const old = p.email, fresh = `novak.${p.n}@example.com`;
	await p.fill("New e-mail address", fresh);
	await p.press("Send link");
	await p.isTitled("Check your e-mail");
	await p.sees(`We have sent a message to ${fresh}. Open the link in it to go on.`);
	await p.look("addresssent");

	// Whoever has the mail, and is not Ana, can do nothing with it.
	const mail = await p.letter("Twinlatch: confirm your e-mail address", fresh);
	assert.ok(!mail.includes(old) && !mail.includes("Ana"), mail);
	const stranger = await p.elsewhere();
	Object.assign(stranger, { email: `stranger.${old}`, key: undefined });
	await stranger.signUp();
	await stranger.go(linkIn(mail));
	await stranger.press("Confirm");
	assert.match(stranger.page.url(), /\/sign-in\?return_to=%2Femail%2F/);
	await stranger.giveIn();
	assert.equal(new URL(stranger.page.url()).pathname, linkIn(mail));
	await stranger.press("Confirm", 403);
	await stranger.sees(`You are signed in as ${stranger.email}, and this link is for another account.`);
	await stranger.look("email-stranger");
	await stranger.leave();

	await p.go(linkIn(mail));
	await p.sees(`${fresh} becomes the e-mail address of your account.`);
	await p.look("email-change");
	await p.press("Confirm");
	await p.sees("Your e-mail address is confirmed.");
	await p.follow("Continue");
	await p.sees("E-mail address changed");
	await p.follow("Profile");
	await p.sees(fresh);

	const notice = await p.letter("Twinlatch: your e-mail address was changed");
	assert.ok(notice.includes(`Messages about your account now go to ${fresh}.`), notice);
	await p.go(linkIn(notice));
	await p.press("Sign out everywhere");
	await p.letter("Twinlatch: your e-mail address is back");
	const reset = await p.letter("Twinlatch: reset your password");
	for (const email of [fresh, old]) { // whoever changed it may know the password
		await p.go("/sign-in");
		await p.fill("E-mail address", email);
		await p.fill("Password", p.password);
		await p.press("Sign in", 422);
	}
	await p.go(linkIn(reset));
	p.password = "amber kettle after rain";
	await p.fill("New password", p.password);
	await p.press("Change password");
	await p.signIn();
	await p.sees("E-mail address changed back");
});
