// Journey 8: security keys, with Chromium's virtual authenticator in the place of
// the key that a person touches.
import assert from "node:assert/strict";
import { address, journey, scripted, wait, walks } from "./person.mjs";

const security = "/settings/user/security";
const silent = walks.filter((way) => !way.script);
const add = "Enable Security key";

// Kinds of authenticators, as the browser sees them.
const usb = { protocol: "ctap2", transport: "usb", isUserVerified: true };
const internal = { protocol: "ctap2", transport: "internal", hasUserVerification: true, isUserVerified: true, hasResidentKey: true, defaultBackupEligibility: true, defaultBackupState: true };
const u2f = { protocol: "u2f", transport: "usb" };

// plugIn gives the person a key.
async function plugIn(p, options = usb) {
	await p.cdp.send("WebAuthn.enable");
	const { authenticatorId } = await p.cdp.send("WebAuthn.addVirtualAuthenticator", { options: { automaticPresenceSimulation: true, ...options } });
	return {
		authenticatorId,
		credentials: async () => (await p.cdp.send("WebAuthn.getCredentials", { authenticatorId })).credentials,
		put: (credential) => p.cdp.send("WebAuthn.addCredential", { authenticatorId, credential }),
		touch: (enabled) => p.cdp.send("WebAuthn.setAutomaticPresenceSimulation", { authenticatorId, enabled }),
		unplug: () => p.cdp.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId }),
	};
}

const show = (p) => p.page.locator("summary.btn").filter({ hasText: "security keys" }).click();

// addKey sets a key up from Security.
async function addKey(p, name, button = add) {
	if (!(await p.button(button).isVisible())) await show(p);
	await p.press(button);
	await p.fill("Name of this key", name);
	await p.press("Add security key");
	p.isAt(security);
}

// firstStep is the password. A key is asked at once then; a page that was loaded
// again waits for a press.
async function firstStep(p, key) {
	await p.press("Sign out");
	await key?.touch(false);
	await p.go("/sign-in");
	await p.giveIn();
	p.isAt("/verify");
	await p.page.reload();
	await key?.touch(true);
}

// signsInByTouch is the password, and then no more than a touch.
async function signsInByTouch(p) {
	await p.press("Sign out");
	await p.go("/sign-in");
	await p.fill("E-mail address", p.email);
	await p.fill("Password", p.password);
	await Promise.all([p.page.waitForURL(`**${security}`), p.button("Sign in").click()]);
}

// script sees that a press of the button ends on this page, with these words.
async function pressInVain(p, button, words) {
	await p.button(button).click();
	await p.page.getByRole("status").getByText(words).waitFor();
}

for (const [title, options] of [["a YubiKey", usb], ["a passkey of this device", internal], ["an old U2F key", u2f]]) {
	journey(`${title} is added, signs in and verifies again`, async (p) => {
		await p.signUp();
		await p.signIn();
		const key = await plugIn(p, options);
		await p.sees("A small device that you touch. The strongest protection against fake sites.");
		await p.press(add);
		await p.isTitled("Add a security key");
		assert.equal(await p.focus(), "name");
		assert.equal(await p.field("Name of this key").inputValue(), "Security key");
		await p.look("enroll-key");
		await p.fill("Name of this key", "Key ring");
		await p.press("Add security key");
		p.isAt(security);
		await p.sees("2-step verification is on", "1 security key", "Added: Security key, Key ring");

		await signsInByTouch(p);
		await p.sees("Signed in: Security key");

		await firstStep(p, key);
		await p.isTitled("Use your security key");
		await p.sees("Step 2 of 2", "Choose the button, then touch the key when it lights up.");
		assert.equal(await p.focus(), "Use security key");
		await p.look("verify-key");
		await p.press("Use security key");
		p.isAt(security);

		await p.from("203.0.113.9");
		await p.go(security);
		await p.isTitled("You’re on a new network");
		await p.look("verify-key-again");
		await p.press("Use security key");
		p.isAt(security);
		await wait("30d");
		await p.go(security);
		await p.isTitled("It’s been 30 days");
		await p.press("Use security key");
		p.isAt(security);
	}, scripted);
}

journey("several keys: rename, ask first, remove", async (p) => {
	await p.signUp();
	await p.signIn();
	const first = await plugIn(p);
	await addKey(p, "Key ring");
	await show(p);
	await p.look("security-key");

	// The same key twice.
	await p.press("Add security key");
	await pressInVain(p, "Add security key", "This key is already on your account.");
	await p.look("enroll-key-known");

	await first.unplug();
	const second = await plugIn(p);
	await p.press("Add security key");
	p.isAt(security);
	await p.sees("2 security keys", "Added: Security key, Security key");
	await show(p);
	await p.app("Security key").locator("summary").click();
	await p.app("Security key").getByLabel("New name").fill("Desk drawer");
	await p.turn(() => p.app("Security key").getByRole("button", { name: "Rename" }).click());
	await p.sees("Renamed: Security key, Desk drawer");
	await show(p);
	await p.turn(() => p.app("Desk drawer").getByRole("button", { name: "Ask this first" }).click());
	await p.sees("Asked first: Security key, Desk drawer");

	// Either signs in.
	await signsInByTouch(p);
	await show(p);
	await p.turn(() => p.app("Desk drawer").getByRole("link", { name: "Remove Desk drawer" }).click());
	await p.isTitled("Remove Desk drawer?");
	await p.press("Remove");
	await p.sees("1 security key", "Removed: Security key, Desk drawer");

	// The removed one does not sign in any more: the browser finds none that does.
	await firstStep(p, second);
	await pressInVain(p, "Use security key", "That did not work, or it took too long.");
	await second.unplug();
}, scripted);

journey("a key that is not touched, or not there", async (p) => {
	await p.signUp();
	await p.signIn();
	const key = await plugIn(p);
	await p.press(add);
	await key.touch(false);
	await p.button("Add security key").click();
	await p.sees("Touch your security key now.");
	await p.look("enroll-key-wait");
	await key.touch(true);
	await p.page.reload();
	await p.press("Add security key");
	p.isAt(security);

	// Asked at once, and not touched: no error, and the button is there.
	await p.press("Sign out");
	await key.touch(false);
	await p.go("/sign-in");
	await p.giveIn();
	await p.page.getByRole("status").getByText("Touch your security key now.").waitFor();
	await p.look("verify-key-asking");

	// A PIN that is not given, which is what a person does who cancels.
	await p.page.reload();
	await key.touch(true);
	const [credential] = await key.credentials();
	await key.unplug();
	const form = p.page.locator("form[data-webauthn]");
	const change = (...pairs) => form.evaluate((f, all) => {
		for (const [from, to] of all) f.dataset.options = f.dataset.options.replace(new RegExp(from), to);
	}, pairs);
	const shy = await plugIn(p, { ...usb, hasUserVerification: true, isUserVerified: false });
	await shy.put({ ...credential, rpId: "localhost" });
	await change(['"preferred"', '"required"']);
	await pressInVain(p, "Use security key", "That did not work, or it took too long. Have your key ready and try again.");
	await shy.unplug();

	// It took longer than the browser waits.
	const late = await plugIn(p);
	await late.put({ ...credential, rpId: "localhost" });
	await late.touch(false);
	await p.go("/verify");
	await change(['"timeout":\\d+', '"timeout":1']);
	await pressInVain(p, "Use security key", "That did not work, or it took too long.");
	await p.look("verify-key-late");
	await late.touch(true);

	// A question that is over is asked anew.
	await p.go("/verify");
	await wait("5m");
	await p.press("Use security key", 422);
	await p.sees("That did not work, or it took too long. Have your key ready and try again.");
	await p.look("verify-key-over");
	await p.press("Use security key");
	p.isAt(security);
	await late.unplug();

	await show(p);
	await p.press("Add security key");
	await wait("5m");
	await plugIn(p);
	await p.fill("Name of this key", "Spare");
	await p.press("Add security key", 422);
	await p.sees("That did not work, or it took too long. Have your key ready and try again.");
	assert.equal(await p.field("Name of this key").inputValue(), "Spare");
	await p.press("Add security key");
	p.isAt(security);
	await p.sees("2 security keys");
}, scripted);

journey("another page's origin, another account's key", async (p) => {
	await p.signUp();
	await p.signIn();
	const key = await plugIn(p);
	await addKey(p, "Key ring");
	await firstStep(p, key);

	// The same server under another name: the browser lets no page use a key that
	// was made for a name which is not its own.
	const elsewhere = address.replace("localhost", "127.0.0.1");
	const cookies = (await p.context.cookies()).map(({ name, value }) => ({ name, value, url: elsewhere }));
	await p.context.addCookies(cookies);
	await p.go(`${elsewhere}/verify`);
	await pressInVain(p, "Use security key", "That did not work, or it took too long.");

	// A page that says nothing of its own, with an answer that another origin made.
	await p.go("/verify");
	const form = p.page.locator("form[data-webauthn]");
	await form.evaluate((f) => {
		const get = navigator.credentials.get.bind(navigator.credentials);
		navigator.credentials.get = async (o) => {
			const c = await get(o);
			const text = new TextDecoder().decode(c.response.clientDataJSON).replace(location.origin, "http://localhost.example.com");
			return { id: c.id, rawId: c.rawId, type: c.type, response: {
				clientDataJSON: new TextEncoder().encode(text), authenticatorData: c.response.authenticatorData, signature: c.response.signature,
			} };
		};
	});
	await p.press("Use security key", 422);
	await p.sees("That did not work, or it took too long. Have your key ready and try again.");

	// Somebody else's key, which the browser is told to take all the same.
	const other = await p.elsewhere();
	other.email = `other.${other.email}`;
	other.key = undefined;
	await other.signUp();
	await other.signIn();
	const theirs = await plugIn(other);
	await addKey(other, "Mine");
	const [stranger] = await theirs.credentials();
	await key.unplug();
	const forged = await plugIn(p);
	await forged.put({ ...stranger, rpId: "localhost" });
	await form.evaluate((f, id) => {
		f.dataset.options = JSON.stringify({ ...JSON.parse(f.dataset.options), allowCredentials: [{ type: "public-key", id }] });
	}, stranger.credentialId.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", ""));
	await p.press("Use security key", 422);
	await p.sees("That security key is not on your account. Use another key, or try another way.");
	await p.look("verify-key-wrong");
	await other.leave();
}, scripted);

// Somebody waits to be asked while the key goes away in another browser, which ends
// all sessions but its own.
journey("a key removed meanwhile", async (p) => {
	await p.signUp();
	await p.signIn();
	await p.enable();
	const key = await plugIn(p);
	await addKey(p, "Key ring");
	await show(p);
	await p.turn(() => p.app("Key ring").getByRole("button", { name: "Ask this first" }).click());
	const other = await p.elsewhere();
	await plugIn(other); // a strange key
	await other.go("/sign-in");
	await other.giveIn();
	await other.follow("Try another way");
	await other.press("Authenticator app");
	await other.confirm();

	await p.from("203.0.113.9");
	await p.go(security);
	await p.isTitled("You’re on a new network");
	await show(other);
	await other.turn(() => other.app("Key ring").getByRole("link", { name: "Remove Key ring" }).click());
	await other.press("Remove");
	await other.sees("Removed: Security key, Key ring");
	await p.press("Use security key");
	await p.isTitled("Sign in");
	await p.giveIn();
	await p.isTitled("Enter the code from your authenticator app");
	assert.equal((await key.credentials()).length, 1); // the key still has it, and nobody asks
	await p.confirm();
	await other.leave();
}, scripted);

journey("a copied key is refused and its owner told", async (p) => {
	await p.signUp();
	await p.signIn();
	await p.enable();
	const key = await plugIn(p);
	await addKey(p, "Key ring");
	await show(p);
	await p.turn(() => p.app("Key ring").getByRole("button", { name: "Ask this first" }).click());
	const [copy] = await key.credentials();
	await signsInByTouch(p);
	await p.sees("Signed in: Security key");
	await signsInByTouch(p);

	await firstStep(p, key);
	await p.isTitled("Use your security key");
	await key.unplug();
	const copied = await plugIn(p);
	await copied.put({ ...copy, rpId: "localhost" }); // as it was when it was copied
	await p.press("Use security key", 422);
	await p.sees("We refused this key because it may have been copied. Use another method, then remove this key.");
	await p.look("verify-key-copied");
	await p.follow("Try another way");
	await p.press("Authenticator app");
	await p.confirm();
	p.isAt(security);
	await p.sees("Refused, it may have been copied: Security key, Key ring");
	await p.sees("It may have been copied: remove it and add a new key");
	await p.look("security-key-copied");
	assert.match(await p.letter("Twinlatch: a security key may have been copied"), /What: Security key, Key ring/);
	await p.turn(() => p.app("Key ring").getByRole("link", { name: "Remove Key ring" }).click());
	await p.press("Remove");
	await p.doesNotSee("It may have been copied: remove it and add a new key");
}, scripted);

// explains: Playwright's search for text passes by what only browsers without
// JavaScript show.
async function explains(p) {
	assert.ok((await p.words()).includes("A security key needs JavaScript, which is turned off in this browser. Turn it on, or try another way."));
}

journey("without JavaScript a key says why it cannot be used", async (p) => {
	await p.signUp();
	await p.signIn();
	await p.press(add);
	await explains(p);
	assert.equal(await p.button("Add security key").isVisible(), false);
	await p.look("enroll-key-silent");
	await p.go(security);
	await p.enable();

	// With a key added in another browser, that one is asked.
	const other = await p.elsewhere({ ...scripted[0] });
	await other.signIn();
	await plugIn(other);
	await addKey(other, "Key ring");
	await show(other);
	await other.turn(() => other.app("Key ring").getByRole("button", { name: "Ask this first" }).click());
	await other.leave();

	await firstStep(p);
	await p.isTitled("Use your security key");
	await explains(p);
	assert.equal(await p.button("Use security key").isVisible(), false);
	await p.look("verify-key-silent");
	await p.follow("Try another way");
	await p.sees("Touch your YubiKey or other security key");
	await p.press("Authenticator app");
	await p.confirm();
	p.isAt(security);
}, silent);

journey("a browser that knows no security keys says so", async (p) => {
	await p.context.addInitScript(() => { delete window.PublicKeyCredential; });
	await p.signUp();
	await p.signIn();
	await p.press(add);
	await p.sees("This browser cannot use security keys. Try another way.");
	assert.equal(await p.button("Add security key").isVisible(), false);
	await p.look("enroll-key-none");
}, scripted);

journey("a script that does not arrive is explained", async (p) => {
	await p.signUp();
	await p.signIn();
	await plugIn(p);
	await p.context.route("**/app.js", (route) => route.abort());
	await p.press(add);
	assert.equal(await p.button("Add security key").isVisible(), false);
	await p.sees("A security key needs JavaScript, which is turned off in this browser. Turn it on, or try another way.");
	await p.look("enroll-key-blocked");
	p.complaints.length = 0; // that it did not arrive
}, scripted);
