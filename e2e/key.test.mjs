// Journey 8: security keys, with Chromium's virtual authenticator in the place of
// the key that a person touches.
import assert from "node:assert/strict";
import { address, journey, linkIn, scripted, wait, walks } from "./person.mjs";

const security = "/settings/user/security";
const silent = walks.filter((way) => !way.script);
const add = "Enable Security key";

// Kinds of authenticators, as the browser sees them.
const usb = { protocol: "ctap2", transport: "usb", isUserVerified: true };
const internal = { protocol: "ctap2", transport: "internal", hasUserVerification: true, isUserVerified: true, hasResidentKey: true, defaultBackupEligibility: true, defaultBackupState: true };
const u2f = { protocol: "u2f", transport: "usb" };

// journeys is a journey with each kind of key. They look alike, so one of them is looked at.
function journeys(title, walk) {
	for (const [name, options] of [["a YubiKey", usb], ["a passkey of this device", internal], ["an old U2F key", u2f]]) {
		journey(`${title}: ${name}`, (p) => {
			if (options !== usb) p.look = () => {};
			return walk(p, options);
		}, scripted);
	}
}

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

// password is the first step of somebody whose key is not touched.
async function password(p, ...keys) {
	for (const key of keys) await key.touch(false);
	await p.page.goto("/sign-in");
	await p.giveIn();
	p.isAt("/verify");
	await p.isTitled("Use your security key");
}

// firstStep stops at the page that waits for a press, as it does for those who loaded
// it again.
async function firstStep(p, ...keys) {
	await p.press("Sign out");
	await password(p, ...keys);
	await p.page.reload();
	await p.doesNotSee("Touch your security key now.");
	for (const key of keys) await key.touch(true);
}

// atOnce signs in with nothing but the password and a touch.
async function atOnce(p) {
	await p.press("Sign out");
	await p.page.goto("/sign-in");
	await p.fill("E-mail address", p.email);
	await p.fill("Password", p.password);
	await p.button("Sign in").click();
	await p.page.waitForURL(`${address}${security}`);
	await p.sees("Signed in: Security key");
}

// pressInVain sees that a press of the button ends on this page, with these words.
async function pressInVain(p, button, words) {
	await p.button(button).click();
	await p.page.getByRole("status").getByText(words).waitFor();
}

journeys("a key is added, signs in and verifies again", async (p, options) => {
	await p.signUp();
	await p.signIn();
	const key = await plugIn(p, options);
	await p.sees("A small device that you touch. The strongest protection against fake sites.");
	await p.press(add);
	await p.isTitled("Add a security key");
	await p.doesNotSee("A security key needs JavaScript");
	assert.equal(await p.focus(), "name");
	assert.equal(await p.field("Name of this key").inputValue(), "Security key");
	await p.look("enroll-key");
	await p.fill("Name of this key", "Key ring");
	await p.press("Add security key");
	p.isAt(security);
	await p.sees("2-step verification is on", "1 security key", "Added: Security key, Key ring");

	// Straight from the password the key is asked without a press, which does no harm.
	await atOnce(p);
	await p.press("Sign out");
	await password(p, key);
	await p.sees("Touch your security key now.");
	await p.look("verify-key-wait");
	await key.touch(true);
	await p.press("Use security key");
	p.isAt(security);

	await firstStep(p, key);
	await p.sees("Step 2 of 2", "Choose the button, then touch the key when it lights up.");
	await p.doesNotSee("A security key needs JavaScript");
	assert.equal(await p.focus(), "Use security key");
	await p.look("verify-key");
	await p.press("Use security key");
	p.isAt(security);
	await p.sees("Signed in: Security key");

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
});

journey("a browser that wants a press before it asks for a key", async (p) => {
	await p.context.addInitScript(() => {
		let asked = 0;
		const get = CredentialsContainer.prototype.get;
		CredentialsContainer.prototype.get = function (options) {
			globalThis.asked = ++asked;
			return asked === 1 && location.pathname === "/verify" ? Promise.reject(new DOMException("A press is needed.", "NotAllowedError")) : get.call(this, options);
		};
	});
	const refusing = () => p.page.waitForFunction(() => globalThis.asked === 1);
	await p.signUp();
	await p.signIn();
	await plugIn(p);
	await addKey(p, "Key ring");
	await p.press("Sign out");
	await p.page.goto("/sign-in");
	await p.giveIn();
	await refusing();
	p.isAt("/verify");
	assert.equal(await p.page.getByRole("status").innerText(), "");
	assert.equal(await p.focus(), "Use security key");
	await p.press("Use security key");
	p.isAt(security);
}, scripted);

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
	const second = await plugIn(p, u2f);
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
	await firstStep(p, second);
	await p.press("Use security key");
	p.isAt(security);
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

	// A PIN that is not given, which is what a person does who cancels.
	await firstStep(p, key);
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
	const late = await plugIn(p, u2f);
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
	await plugIn(p, internal);
	await p.fill("Name of this key", "Spare");
	await p.press("Add security key", 422);
	await p.sees("That did not work, or it took too long. Have your key ready and try again.");
	assert.equal(await p.field("Name of this key").inputValue(), "Spare");
	await p.press("Add security key");
	p.isAt(security);
	await p.sees("2 security keys");
}, scripted);

journeys("another page's origin, another account's key", async (p, options) => {
	await p.signUp();
	await p.signIn();
	const key = await plugIn(p, options);
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
	const theirs = await plugIn(other, options);
	await addKey(other, "Mine");
	const [stranger] = await theirs.credentials();
	await key.unplug();
	const forged = await plugIn(p, options);
	await forged.put({ ...stranger, rpId: "localhost" });
	await form.evaluate((f, id) => {
		f.dataset.options = JSON.stringify({ ...JSON.parse(f.dataset.options), allowCredentials: [{ type: "public-key", id }] });
	}, stranger.credentialId.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", ""));
	await p.press("Use security key", 422);
	await p.sees("That security key is not on your account. Use another key, or try another way.");
	await p.look("verify-key-wrong");
	await other.leave();
});

// waiting is the same person at another browser, which waits for a touch of the same key.
async function waiting(p, options, credential) {
	const other = await p.elsewhere();
	const key = await plugIn(other, options);
	await key.put({ ...credential, rpId: "localhost" });
	await password(other, key);
	await other.page.reload();
	await key.touch(true);
	return other;
}

async function removeKey(p, name) {
	if (!(await p.app(name).isVisible())) await show(p);
	await p.turn(() => p.app(name).getByRole("link", { name: `Remove ${name}` }).click());
	await p.press("Remove");
	await p.sees(`Removed: Security key, ${name}`);
}

journeys("a key removed meanwhile", async (p, options) => {
	await p.signUp();
	await p.signIn();
	const key = await plugIn(p, options);
	await addKey(p, "Key ring");
	const [first] = await key.credentials();
	let other = await waiting(p, options, first);
	await removeKey(p, "Key ring");
	await p.sees("2-step verification is off");
	await other.press("Use security key"); // its sign-in ended with the key
	other.isAt("/sign-in");
	await other.giveIn();
	other.isAt(security);
	await other.leave();

	// The same with another method left, which is asked then.
	if (options !== usb) return;
	await p.enable();
	await addKey(p, "Key ring");
	await show(p);
	await p.turn(() => p.app("Key ring").getByRole("button", { name: "Ask this first" }).click());
	const second = (await key.credentials()).find((c) => c.credentialId !== first.credentialId);
	other = await waiting(p, options, second);
	await removeKey(p, "Key ring");
	await p.sees("2-step verification is on");
	await other.press("Use security key");
	other.isAt("/sign-in");
	await other.giveIn();
	await other.isTitled("Enter the code from your authenticator app");
	await other.confirm();
	other.isAt(security);
	await other.sees("Removed: Security key, Key ring");
	await other.leave();
});

journeys("a copied key is refused and its owner told", async (p, options) => {
	await p.signUp();
	await p.signIn();
	await p.enable();
	const key = await plugIn(p, options);
	await addKey(p, "Key ring");
	await show(p);
	await p.turn(() => p.app("Key ring").getByRole("button", { name: "Ask this first" }).click());
	const [copy] = await key.credentials();
	await atOnce(p);
	await atOnce(p);

	await firstStep(p, key);
	await key.unplug();
	const copied = await plugIn(p, options);
	await copied.put({ ...copy, rpId: "localhost" }); // as it was when it was copied
	await p.press("Use security key", 422);
	await p.sees("We refused this key because it may have been copied. Use another method, then remove this key.");
	await p.look("verify-key-copied");
	await p.follow("Try another way");
	await p.press("Authenticator app");
	await p.confirm();
	p.isAt(security);
	await p.sees("Refused, it may have been copied: Security key, Key ring", "It may have been copied: remove it and add a new key");
	await p.look("security-copied");

	// A mail says so as well, until the key is removed.
	const mail = await p.letter("Twinlatch: a security key may have been copied");
	assert.ok(mail.includes("What: Security key, Key ring"), mail);
	assert.ok(linkIn(mail).startsWith("/not-me/"));
	await removeKey(p, "Key ring");
	await p.doesNotSee("It may have been copied: remove it and add a new key");
});

const explains = (p) => p.sees("A security key needs JavaScript, which is turned off or did not load. Turn it on, load this page again, or try another way.");

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

journey("where the script does not load, a key says why it cannot be used", async (p) => {
	await p.signUp();
	await p.signIn();
	await p.enable();
	await plugIn(p);
	await addKey(p, "Key ring");
	await show(p);
	await p.turn(() => p.app("Key ring").getByRole("button", { name: "Ask this first" }).click());
	await p.context.route("**/app.js", (route) => route.fulfill({ status: 404 }));
	await show(p);
	await p.press("Add security key");
	await explains(p);
	assert.equal(await p.button("Add security key").isVisible(), false);
	await p.look("enroll-key-blocked");
	await p.press("Sign out");
	await p.go("/sign-in");
	await p.giveIn();
	await p.isTitled("Use your security key");
	await explains(p);
	assert.equal(await p.button("Use security key").isVisible(), false);
	await p.look("verify-key-blocked");
	await p.follow("Try another way");
	await p.press("Authenticator app");
	await p.confirm();
	p.isAt(security);
}, scripted);

journey("a browser that knows no security keys says so", async (p) => {
	await p.context.addInitScript(() => { delete window.PublicKeyCredential; });
	await p.signUp();
	await p.signIn();
	await p.press(add);
	await p.sees("This browser cannot use security keys. Try another way.");
	assert.equal(await p.button("Add security key").isVisible(), false);
	await p.look("enroll-key-none");
}, scripted);
