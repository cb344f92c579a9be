// Journey 5: changes are asked to be confirmed when the last proof is older than
// ten minutes; devices and sessions are listed and ended; activity is told.
import assert from "node:assert/strict";
import { desk, phone } from "./browser.mjs";
import { journey, wait } from "./person.mjs";

const security = "/settings/user/security";
const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1";

journey("confirm with the second step before a change", async (p) => {
	await p.signUp();
	await p.signIn();
	await p.enable();
	await p.unfold();
	await p.enable("Add authenticator app");

	// proves: the change asks for a proof first, then offers itself again.
	const proves = async (change, offeredAt) => {
		await wait("11m");
		await change();
		p.isAt(`/verify?return_to=${encodeURIComponent(offeredAt)}`);
		await p.isTitled("Confirm it’s you");
		await p.sees("Use your second step before you change how your account is protected.");
	};
	await p.unfold();
	await p.follow("Remove Authenticator app 2");
	const remove = p.page.url().slice(p.page.url().indexOf(security));
	await proves(() => p.press("Remove"), remove);
	await p.look("verify-fresh");
	await p.confirm("123", 422);
	await p.isRefused("Enter the code from your authenticator app", "Enter all 6 digits.");
	await p.confirm();
	p.isAt(remove);
	await p.press("Remove");
	p.isAt(security);
	await p.sees("Removed: Authenticator app, Authenticator app 2");
	p.key = p.keys[0];

	await proves(() => p.press("Get backup codes"), security);
	await p.confirm();
	p.isAt(security);
	assert.equal((await p.codes()).length, 10);
	await p.follow("I have saved these codes");

	await p.follow("Turn off 2-step verification");
	await p.isTitled("Turn off 2-step verification?");
	await p.sees("Your account will be protected by your password alone.", "1 authenticator app", "10 backup codes");
	await p.look("turnoff");
	await p.follow("Keep it on");
	await p.follow("Turn off 2-step verification");
	await proves(() => p.press("Turn off"), `${security}/turn-off`);
	await p.confirm();
	p.isAt(`${security}/turn-off`);
	await p.press("Turn off");
	p.isAt(security);
	await p.sees("2-step verification is off", "2-step verification turned off");

	// Off is off: the password is enough, and the app is forgotten.
	await p.press("Sign out");
	p.key = undefined;
	await p.signIn();
	await p.sees("2-step verification is off");
});

journey("confirm with the password while 2-step verification is off", async (p) => {
	await p.signUp();
	await p.signIn();
	await wait("11m");
	await p.press("Enable Authenticator app");
	const add = `${security}/add/totp`;
	p.isAt(`/confirm?return_to=${encodeURIComponent(add)}`);
	await p.isTitled("Confirm it’s you");
	await p.sees("Enter your password before you change how your account is protected.");
	assert.equal(await p.focus(), "password");
	await p.look("confirm");
	await p.fill("Password", "not the password");
	await p.press("Confirm", 422);
	await p.isRefused("Password", "The password is not right. Try again.");
	await p.look("confirm-wrong");
	await p.fill("Password", p.password);
	await p.press("Confirm");
	p.isAt(add);
	await p.isTitled("Set up your authenticator app");
	await p.look("add");
	await p.press("Continue");
	p.key = await p.setupKey();
	await p.confirm();
	p.isAt(security);
	await p.sees("2-step verification is on", "Password confirmed");
});

journey("devices and sessions", async (p) => {
	await p.signUp();
	await p.signIn();
	await p.enable();
	await p.sees("Chrome, Linux", "This device", `IP ${p.ip} · Last seen now`);
	await p.doesNotSee("Sign out all other devices");

	const laptop = await p.elsewhere({ ...p.way, size: desk, userAgent: firefox });
	const mobile = await p.elsewhere({ ...p.way, size: phone, userAgent: iphone });
	const owing = await p.elsewhere();
	await laptop.from("2001:db8::1f");
	await laptop.signIn();
	await mobile.signIn();
	await owing.go("/sign-in");
	await owing.giveIn();
	await p.go(security);
	await p.sees("Firefox, Linux", "IP 2001:db8::1f", "Safari, iPhone", `IP ${mobile.ip}`, "Has not done the second step yet.", "Signed in: Authenticator app");
	await p.look("security-devices");

	// One is ended, and knows at its next click.
	await p.press("Sign out Firefox, Linux");
	p.isAt(security);
	await p.doesNotSee("IP 2001:db8::1f · Last seen");
	await p.sees("Signed out: Firefox, Linux");
	await laptop.follow("Turn off 2-step verification");
	laptop.isAt(`/sign-in?return_to=${encodeURIComponent(`${security}/turn-off`)}`);
	await mobile.go(security);
	mobile.isAt(security);

	// Then all others, those included that owe the second step.
	await p.press("Sign out all other devices");
	await p.sees("Signed out: all other devices");
	await p.doesNotSee("Safari, iPhone");
	await mobile.follow("Turn off 2-step verification");
	mobile.isAt(`/sign-in?return_to=${encodeURIComponent(`${security}/turn-off`)}`);
	await owing.turn(() => owing.button("Confirm").click());
	owing.isAt("/sign-in");
	for (const other of [laptop, mobile, owing]) await other.leave();
});
