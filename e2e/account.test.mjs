// Journey 1: create an account, sign in, sign out, sign in again. A mistake on
// the way loses nothing that was typed but the password.
import assert from "node:assert/strict";
import { journey, scripted } from "./person.mjs";

journey("sign up, sign in, sign out, sign in again", async (p) => {
	await p.go("/");
	p.isAt("/sign-in");
	await p.isTitled("Sign in");
	await p.look("signin");
	await p.follow("Create an account");
	await p.isTitled("Create an account");
	await p.look("signup");
	await p.fill("Your name", p.name);
	await p.fill("E-mail address", p.email);
	await p.fill("Password", p.password);
	await p.press("Create account");
	p.isAt("/sign-in");
	await p.sees("Check your e-mail", p.email);
	await p.look("signin-mailed");
	await p.confirmAddress();
	await p.follow("Sign in");

	await p.giveIn();
	p.isAt("/settings/user/security");
	await p.isTitled("Security");
	await p.sees("2-step verification is off", "Account created", "Signed in: Password");
	await p.look("security-off");

	await p.press("Sign out");
	await p.sees("You are signed out", "You signed out on this device.");
	await p.look("signedout");
	await p.page.goBack();
	p.isAt("/sign-in?return_to=%2Fsettings%2Fuser%2Fsecurity");
	await p.doesNotSee("2-step verification is off");
	await p.go("/");
	p.isAt("/sign-in");

	await p.giveIn();
	p.isAt("/settings/user/security");
	await p.sees("Signed out: Chrome, Linux");
	await p.go("/sign-in");
	p.isAt("/settings/user/security");
});

journey("mistakes at sign-up", async (p) => {
	await p.go("/sign-up");
	await p.press("Create account", 422);
	await p.isTitled("Error: Create an account");
	await p.isRefused("Your name", "Enter your name.");
	await p.sees("Enter an e-mail address, for example ana@example.com.", "Enter a password.");
	await p.look("signup-empty");

	const refused = async (name, email, password, field, message) => {
		await p.fill("Your name", name);
		await p.fill("E-mail address", email);
		await p.fill("Password", password);
		await p.press("Create account", 422);
		await p.isRefused(field, message);
		assert.equal(await p.field("Your name").inputValue(), name);
		assert.equal(await p.field("E-mail address").inputValue(), email);
		assert.equal(await p.field("Password").inputValue(), "");
	};
	await refused("<b>Ana</b> \"&", "ana at example", p.password, "E-mail address", "Enter an e-mail address, for example ana@example.com.");
	await refused("Ana", "Ana <ana@example.com>", p.password, "E-mail address", "Enter an e-mail address, for example ana@example.com.");
	await refused("Ana", p.email, "tram", "Password", "Use at least 12 characters.");
	await refused("Ana", p.email, "x".repeat(257), "Password", "Use at most 256 characters.");
	await refused("Ana", p.email, "password123456", "Password", "This password is on a list of leaked passwords. Choose another one.");
	await p.look("signup-common");

	// An address that is taken gets the same answer as a new one, and stays whose
	// it was.
	for (const password of [p.password, "another one altogether"]) {
		await p.go("/sign-up");
		await p.fill("Your name", "Somebody");
		await p.fill("E-mail address", p.email);
		await p.fill("Password", password);
		await p.press("Create account");
		p.isAt("/sign-in");
		await p.sees(`We have sent a message to ${p.email}. Open the link in it to go on.`);
		if (password === p.password) await p.confirmAddress();
	}
	await p.letter("Twinlatch: you already have an account");
	await p.go("/sign-in");
	await p.giveIn();
	p.isAt("/settings/user/security");
});

journey("mistakes at sign-in", async (p) => {
	await p.signUp();
	await p.go("/sign-in?return_to=%2Fhelp");
	for (const [email, password] of [["", ""], ["nobody@example.com", p.password], [p.email, "not the password"]]) {
		await p.fill("E-mail address", email);
		await p.fill("Password", password);
		await p.press("Sign in", 422);
		await p.isTitled("Error: Sign in");
		await p.sees("The e-mail address or password is not right. Check both and try again.");
		assert.equal(await p.field("E-mail address").inputValue(), email);
		assert.equal(await p.field("Password").inputValue(), "");
		assert.equal(await p.focus(), "password");
	}
	await p.look("signin-error");
	await p.giveIn();
	p.isAt("/help");
});

journey("show the password", async (p) => {
	await p.go("/sign-up");
	await p.fill("Password", p.password);
	const box = p.page.locator("#password");
	const button = p.button("Show password");
	await button.click();
	assert.equal(await box.getAttribute("type"), "text");
	assert.equal(await button.getAttribute("aria-pressed"), "true");
	await button.click();
	assert.equal(await box.getAttribute("type"), "password");
}, scripted);
