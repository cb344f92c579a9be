// Journey 2: authenticator apps are set up, renamed, asked first and removed.
import assert from "node:assert/strict";
import { journey, now, scan, scripted, totp } from "./person.mjs";

const security = "/settings/user/security";

journey("set up an authenticator app", async (p) => {
	await p.signUp();
	await p.signIn();
	await p.press("Enable Authenticator app");
	await p.isTitled("Set up your authenticator app");
	await p.sees("Nothing changes until you confirm.");
	await p.look("enroll");
	const here = p.page.url();

	// The picture, the link and the setup key say the same.
	const key = await p.setupKey();
	assert.match(key, /^[A-Z2-7]{32}$/);
	const link = await p.page.getByText("Open in authenticator app").getAttribute("href");
	assert.equal(scan(await p.page.locator("img.qr").screenshot()), link);
	const uri = new URL(link);
	assert.equal(uri.protocol + uri.host, "otpauth:totp");
	assert.equal(decodeURIComponent(uri.pathname), `/Twinlatch:${p.email}`);
	assert.equal(uri.searchParams.get("secret"), key);
	assert.equal(uri.searchParams.get("issuer"), "Twinlatch");
	assert.equal(await p.page.getByText("Open in authenticator app").isVisible(), p.way.size.width < 640);

	// A wrong code changes nothing, and neither does looking elsewhere.
	const right = totp(key, await now());
	await p.confirm(other(right), 422);
	await p.isRefused("6-digit code", "That code is not right. Check your app for the newest code and try again. You have 4 tries left.");
	assert.equal(await p.setupKey(), key);
	await p.look("enroll-wrong");
	await p.confirm("12 34", 422);
	await p.isRefused("6-digit code", "Enter all 6 digits.");
	await p.go(security);
	await p.sees("2-step verification is off");

	p.key = key;
	await p.go(here);
	await p.confirm(right.replace(/(...)/, "$1 "));
	p.isAt(security);
	await p.sees("2-step verification is on", "You have one method only.", "2-step verification turned on", "Added: Authenticator app, Authenticator app");
	await p.look("security-on");

	// The page to set it up is gone, and the code that confirmed is used.
	await p.go(here, 410);
	await p.follow("Go to the start page");
	await p.press("Sign out");
	await p.go("/sign-in");
	await p.giveIn();
	p.isAt("/verify");
	await p.confirm(right, 422);
	await p.isRefused("6-digit code", "That code was already used. Wait for your app to show the next one, at most 30 seconds.");
	await p.confirm();
	p.isAt(security);
});

journey("rename, ask first and remove authenticator apps", async (p) => {
	await p.signUp();
	await p.signIn();
	await p.enable();
	const first = p.key;
	await p.unfold();
	await p.enable("Add authenticator app");
	const second = p.key;
	assert.notEqual(first, second);
	await p.doesNotSee("You have one method only.");

	// Names are anything but empty, too long, or markup.
	const rename = async (from, to, status) => {
		const app = p.app(from);
		if (!(await app.isVisible())) await p.unfold();
		if (!(await app.getByLabel("New name").isVisible())) await app.locator("summary").click();
		await app.getByLabel("New name").fill(to);
		await p.turn(() => app.getByRole("button", { name: "Rename" }).click(), status);
	};
	const refused = async (name) => {
		await rename("Authenticator app 2", name, 422);
		await p.isTitled("Error: Security");
		const box = p.app("Authenticator app 2").getByLabel("New name");
		assert.equal(await box.inputValue(), name);
		assert.equal(await box.getAttribute("aria-invalid"), "true");
		await p.focused();
		assert.ok(await box.evaluate((e) => e === document.activeElement));
		await p.sees("Use 1 to 60 characters for the name.");
	};
	await refused("");
	await refused("x".repeat(61));
	await p.look("security-name");
	const hostile = "<script>alert(1)</script>";
	await rename("Authenticator app 2", hostile);
	p.isAt(security);
	await p.sees(`Renamed: Authenticator app, ${hostile}`);
	assert.equal(await p.page.locator("script").count(), 0);
	await rename(hostile, "Old “phone”");
	await p.unfold();
	await p.sees("Old “phone”");

	// Either is asked; which is asked first, the person says.
	await p.look("security-two");
	await p.turn(() => p.app("Old “phone”").getByRole("button", { name: "Ask this first Old “phone”" }).click());
	await p.unfold();
	assert.ok(await p.app("Old “phone”").getByText("Asked first").isVisible());
	assert.equal(await p.app("Authenticator app").getByText("Asked first").count(), 0);
	await p.sees("Asked first: Authenticator app, Old “phone”");
	for (const key of [first, second]) {
		await p.press("Sign out");
		await p.go("/sign-in");
		await p.giveIn();
		await p.confirm(await p.code(key));
		p.isAt(security);
	}

	await p.unfold();
	await p.follow("Remove Old “phone”");
	await p.isTitled("Remove Old “phone”?");
	await p.sees("You will no longer be able to sign in with it.", "You can still use: Authenticator app.");
	await p.look("remove");
	await p.follow("Cancel");
	await p.unfold();
	await p.follow("Remove Old “phone”");
	await p.press("Remove");
	p.isAt(security);
	await p.sees("Removed: Authenticator app, Old “phone”", "2-step verification is on", "You have one method only.");

	// Its codes are no good any more.
	await p.press("Sign out");
	await p.go("/sign-in");
	await p.giveIn();
	await p.confirm(await p.code(second), 422);
	await p.isRefused("6-digit code", "That code is not right. Check your app for the newest code and try again. You have 4 tries left.");
	await p.confirm(await p.code(first));

	await p.unfold();
	await p.follow("Remove Authenticator app");
	await p.sees("This is your last method. Removing it turns off 2-step verification and deletes your backup codes.");
	await p.look("remove-last");
	await p.press("Remove");
	p.isAt(security);
	await p.sees("2-step verification is off", "2-step verification turned off", "You can get 10 backup codes once you have enabled a method.");
	await p.press("Sign out");
	p.key = undefined;
	await p.signIn();
});

journey("copy the setup key", async (p) => {
	await p.context.grantPermissions(["clipboard-read", "clipboard-write"]);
	await p.signUp();
	await p.signIn();
	await p.press("Enable Authenticator app");
	await p.button("Copy Setup key").click();
	await p.sees("Copied");
	assert.equal(await p.clipboard(), await p.setupKey());
}, scripted);

// other is a code of the same shape that is not right.
function other(code) { return String((Number(code) + 1) % 1e6).padStart(6, "0"); }
