// Journey 9: one-time passwords that a YubiKey types. The key is ykgenerate
// (libyubikey), and the operator imports it while the server runs.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { journey, scripted, wait } from "./person.mjs";

const security = "/settings/user/security";
const full = "YubiKey one-time password";

// YubiKey is a key on which somebody has written secrets.
class YubiKey {
	constructor(n) {
		this.identity = `cccccccccc${"cbdefghijklnrtuv"[n >> 4]}${"cbdefghijklnrtuv"[n & 15]}`;
		this.secret = `a0b1c2d3e4f${n.toString(16).padStart(2, "0")}`.padEnd(12, "0").slice(0, 12);
		this.key = n.toString(16).padStart(32, "7");
		this.plugged = 1;
		this.touched = 0;
	}

	touch() {
		const hex = (v, digits) => v.toString(16).padStart(digits, "0");
		return this.identity + execFileSync("ykgenerate", [this.key, this.secret, hex(this.plugged, 4), "c0a8", "00", hex(this.touched++, 2)], { encoding: "utf8" }).trim();
	}

	plugAgain() { this.plugged++; this.touched = 0; }
}

// operator runs the program beside the server.
const operator = (args, input) => execFileSync(process.env.E2E_PROGRAM, ["yubikey", ...args], { cwd: process.env.E2E_DATA, input, encoding: "utf8", stdio: ["pipe", "pipe", "pipe"] });

function imported(n) {
	const key = new YubiKey(n);
	operator(["import"], `${n},${key.identity},${key.secret},${key.key},,\n`);
	return key;
}

// types is what a touch does: the letters, then Enter.
async function types(p, text, status) {
	await p.page.locator("#code").focus();
	await p.page.keyboard.type(text);
	await p.turn(() => p.page.keyboard.press("Enter"), status);
}

let keys = 0;

journey("a YubiKey types a code that is added, signs in and verifies again", async (p) => {
	const key = imported(++keys);
	await p.signUp();
	await p.signIn();
	await p.sees("A touch of the YubiKey types a code.");
	await p.press(`Enable ${full}`);
	await p.isTitled("Add a YubiKey one-time password");
	assert.equal(await p.focus(), "code");
	await p.fill("Name of this key", "Key ring");
	await p.look("enroll-otp");

	await types(p, new YubiKey(200).touch(), 422); // one that nobody imported
	await p.isRefused("YubiKey code", "This YubiKey is not known here, or that was not its code. Touch it again, or ask your administrator.");
	await types(p, "123456", 422);
	await p.isRefused("YubiKey code", "That is not a code from your YubiKey. Touch the gold contact again.");
	await p.look("enroll-otp-wrong");
	assert.equal(await p.field("Name of this key").inputValue(), "Key ring");
	const first = key.touch();
	await types(p, first);
	p.isAt(security);
	await p.sees("2-step verification is on", "1 YubiKey", "Added: YubiKey one-time password, Key ring");
	await p.look("security-otp");

	await p.press("Sign out");
	await p.go("/sign-in");
	await p.giveIn();
	p.isAt("/verify");
	await p.isTitled("Touch your YubiKey");
	await p.sees("Step 2 of 2", "Plug in your YubiKey, keep the cursor in the box, and touch the gold contact.");
	assert.equal(await p.focus(), "code");
	await p.look("verify-otp");
	await types(p, first, 422); // it was used to confirm
	await p.isRefused("YubiKey code", "That YubiKey code was already used. Touch the gold contact again.");
	await p.look("verify-otp-used");
	const skipped = key.touch();
	key.plugAgain();
	await types(p, key.touch());
	p.isAt(security);
	await p.sees("Signed in: YubiKey one-time password");

	await p.from("203.0.113.77");
	await p.go(security);
	await p.isTitled("You’re on a new network");
	await types(p, skipped, 422); // older than one that was used
	await p.isRefused("Touch your YubiKey", "That YubiKey code was already used. Touch the gold contact again.");
	await types(p, key.touch().toUpperCase()); // with Caps Lock
	p.isAt(security);
	await wait("30d");
	await p.go(security);
	await p.isTitled("It’s been 30 days");
	await types(p, key.touch());
	p.isAt(security);
	operator(["remove", key.identity]); // it was stolen
	await wait("11m");
	await p.page.locator("summary.btn").filter({ hasText: "YubiKeys" }).click();
	await p.press("Add YubiKey");
	p.isAt("/verify?return_to=%2Fsettings%2Fuser%2Fsecurity%2Fadd%2Fyubico");
	await types(p, key.touch(), 422);
	await p.isRefused("Touch your YubiKey", "That is not a code from your YubiKey. Touch the gold contact again.");
});

journey("a key that cannot be a security key is led to its one-time password", async (p) => {
	await p.signUp();
	await p.signIn();
	await p.press("Enable Security key");
	await p.follow("Key without security-key support? Use its one-time password");
	await p.isTitled("Add a YubiKey one-time password");
	await p.look("add-otp");
	const key = imported(++keys);
	await p.fill("Name of this key", "Old one");
	await p.press("Continue");
	assert.equal(await p.field("Name of this key").inputValue(), "Old one");
	await types(p, key.touch());
	p.isAt(security);
	await p.sees("Added: YubiKey one-time password, Old one");
}, scripted);
