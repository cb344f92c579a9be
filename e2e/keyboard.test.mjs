// Journey 6: everything with the keyboard alone, and one always sees where one is.
import assert from "node:assert/strict";
import { journey } from "./person.mjs";

const security = "/settings/user/security";

// here tells what has the focus, and whether one can see that.
const here = (p) => p.page.evaluate(() => {
	const e = document.activeElement;
	if (e === document.body) return { name: "nothing" };
	const label = e.labels?.[0]?.innerText;
	const style = getComputedStyle(e), ring = e.matches(".go") ? getComputedStyle(e, "::after") : style;
	const box = e.getBoundingClientRect();
	const top = document.elementFromPoint(Math.max(0, box.x) + 2, box.y + box.height / 2);
	return {
		name: label ?? e.innerText.replace(/\s+/g, " ").trim(),
		ring: parseFloat(ring.outlineWidth) >= 3 && ring.outlineStyle === "solid" && e.matches(":focus-visible"),
		shown: box.width > 10 && box.y >= 5 && box.bottom + 5 <= innerHeight && (e.contains(top) || top?.contains(e)),
	};
});

// A browser may scroll to the field a moment after the page is there.
async function seesFocus(p, name) {
	const want = JSON.stringify({ name, ring: true, shown: true });
	for (let i = 0; i < 40 && JSON.stringify(await here(p)) !== want; i++) await new Promise((r) => setTimeout(r, 50));
	assert.equal(JSON.stringify(await here(p)), want);
}

// tab presses Tab until it is somewhere, and sees every station on the way.
async function tab(p, name, key = "Tab") {
	const passed = [];
	for (let i = 0; i < 40; i++) {
		await p.page.keyboard.press(key);
		const at = await here(p);
		passed.push(at.name);
		if (at.name === "nothing") continue;
		await seesFocus(p, at.name);
		if (at.name === name) return passed;
	}
	return assert.fail(`${name} is not among ${passed}`);
}

// enter sends what is there and waits until the next page has put the focus where it wants it: a
// person looks before typing.
async function enter(p, status) {
	await p.turn(() => p.page.keyboard.press("Enter"), status);
	await p.focused();
}

const type = (p, text) => p.page.keyboard.type(text);

journey("create an account, set an app up and sign in with the keyboard", async (p) => {
	await p.go("/sign-up");
	await seesFocus(p, "Your name");
	await type(p, p.name);
	await tab(p, "E-mail address");
	await type(p, p.email);
	await tab(p, "Password");
	await type(p, p.password);
	await enter(p);
	p.isAt("/sign-in");
	await seesFocus(p, "E-mail address");
	await type(p, p.email);
	assert.deepEqual(await tab(p, "Password"), ["Password"]);
	await type(p, p.password);
	assert.deepEqual(await tab(p, "Sign in"), ["Sign in"]);
	await enter(p);
	p.isAt(security);
	await p.confirmAddress();
	await p.go(security);

	// A page to read first starts at its top, with a way past the head.
	assert.deepEqual(await here(p), { name: "nothing" });
	assert.deepEqual(await tab(p, "Skip to main content"), ["Skip to main content"]);
	await p.page.keyboard.press("Enter");
	assert.deepEqual(await tab(p, "Enable Authenticator app"), ["Enable Authenticator app"]);
	await enter(p);
	await p.isTitled("Set up your authenticator app");
	assert.deepEqual(await here(p), { name: "nothing" });
	p.key = await p.setupKey();
	const stations = await tab(p, "6-digit code");
	assert.equal(stations.includes("Copy Setup key"), p.way.script);
	assert.equal(stations.includes("Open in authenticator app"), p.way.size.width < 640);
	await type(p, "12345");
	await enter(p, 422);
	await p.isRefused("6-digit code", "Enter all 6 digits.");
	await seesFocus(p, "6-digit code");
	await type(p, await p.code());
	await enter(p);
	p.isAt(security);

	// Every control of the page is a station, in its order, and unfolds.
	await tab(p, "Show authenticator app");
	await p.page.keyboard.press("Enter");
	await seesFocus(p, "Hide authenticator app");
	assert.deepEqual(await tab(p, "Get backup codes"), ["Remove Authenticator app", "Rename Authenticator app", "Add authenticator app", "Enable Security key", "Enable Text message", "Enable YubiKey one-time password", "Turn off 2-step verification", "Get backup codes"]);
	await tab(p, "Rename Authenticator app", "Shift+Tab");
	await p.page.keyboard.press("Space");
	await tab(p, "New name");
	await p.page.keyboard.press("Control+A");
	await type(p, "Pixel");
	await enter(p);
	await p.sees("Renamed: Authenticator app, Pixel");

	await tab(p, "Sign out");
	await enter(p);
	await tab(p, "Sign in again");
	await enter(p);
	await type(p, p.email);
	await tab(p, "Password");
	await type(p, p.password);
	await enter(p);
	p.isAt("/verify");
	await seesFocus(p, "6-digit code");
	await type(p, "123 45x");
	await enter(p, 422);
	await p.isRefused("6-digit code", "The code has digits only.");
	await seesFocus(p, "6-digit code");
	assert.equal(await p.field("6-digit code").inputValue(), "");
	await tab(p, "Try another way");
	await enter(p);
	await tab(p, "Authenticator app");
	await enter(p);
	await seesFocus(p, "6-digit code");
	await type(p, await p.code());
	await enter(p);
	p.isAt(security);
});
