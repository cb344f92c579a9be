// Journey 7, at the question for a code: whatever is typed or pressed, the answer
// says what happened and what to do, and nothing is lost.
import assert from "node:assert/strict";
import { journey, scripted, wait } from "./person.mjs";

const security = "/settings/user/security";

const owing = async (p) => {
	await p.signUp();
	await p.signIn();
	await p.enable();
	await p.press("Sign out");
	await p.go("/sign-in");
	await p.giveIn();
	p.isAt("/verify");
};
const wrong = (right, by) => String((Number(right) + by) % 1e6).padStart(6, "0");

journey("codes that are none cost no try", async (p) => {
	await owing(p);
	for (const [typed, message] of [
		["", "Enter the 6-digit code."], ["   ", "Enter the 6-digit code."], ["-", "Enter the 6-digit code."],
		["abcdef", "The code has digits only."], ["12345o", "The code has digits only."], ["١٢٣٤٥٦", "The code has digits only."],
		["12345", "Enter all 6 digits."], ["1234567", "Enter all 6 digits."], ["<script>", "The code has digits only."],
	]) {
		await p.confirm(typed, 422);
		await p.isTitled("Error: Enter the code from your authenticator app");
		await p.isRefused("6-digit code", message);
		assert.equal(await p.field("6-digit code").inputValue(), "");
	}
	await p.look("verify-letters");
	const right = await p.code();
	await p.confirm(wrong(right, 1), 422);
	await p.isRefused("6-digit code", "That code is not right. Check your app for the newest code and try again. You have 4 tries left.");
	await p.look("verify-wrong");
	await p.confirm(` ${right.slice(0, 3)}-${right.slice(3)} `);
	p.isAt(security);
	await p.sees("Wrong code: Authenticator app");

	// Used once is used, in this browser and in any other.
	const thief = await p.elsewhere();
	await thief.go("/sign-in");
	await thief.giveIn();
	await thief.confirm(right, 422);
	await thief.isRefused("6-digit code", "That code was already used. Wait for your app to show the next one, at most 30 seconds.");
	await thief.sees("Codes from your app never work? Set the clock on your phone to automatic.");
	await thief.look("verify-replayed");
	await thief.leave();
});

journey("too many tries", async (p) => {
	await owing(p);
	const right = await p.code();
	for (const left of ["4 tries", "3 tries", "2 tries", "1 try"]) {
		await p.confirm(wrong(right, left.charCodeAt(0)), 422);
		await p.isRefused("6-digit code", `That code is not right. Check your app for the newest code and try again. You have ${left} left.`);
	}
	await p.confirm(wrong(right, 9), 422);
	await p.isRefused("6-digit code", "That code is not right. Check your app for the newest code and try again.");

	// Now they are paused, for the right code and the wrong one alike, whatever
	// one does to begin anew.
	const paused = async (code) => {
		await p.page.locator("#code").fill(code);
		await p.press("Confirm", 429);
		await p.isTitled("Error: Too many tries");
		await p.sees("To protect your account, codes are paused for");
	};
	await paused(right);
	await p.look("locked");
	const same = await p.words();
	await p.follow("Back");
	await paused(wrong(right, 3));
	assert.equal(await p.words(), same);
	await p.go("/sign-in");
	await p.giveIn();
	await paused(right);

	// The way on: another way, or patience.
	await p.follow("Try another way");
	await p.isTitled("Choose another way");
	await p.go("/verify");
	await wait("1m");
	await p.confirm();
	p.isAt(security);
});

journey("pressed twice", async (p) => {
	await owing(p);
	await p.page.locator("#code").fill(await p.code());
	// Without a script nothing holds back a second press. Who is quicker than the answer to
	// the first loses what it says: the browser throws that away.
	if (p.way.script) await p.button("Confirm").dblclick();
	else {
		const answered = p.page.waitForResponse((r) => r.request().method() === "POST");
		await p.button("Confirm").click({ noWaitAfter: true });
		await answered;
		await p.page.evaluate(() => [...document.querySelectorAll("button")].find((b) => b.innerText === "Confirm")?.click()).catch(() => {}); // between two pages
	}
	await p.page.waitForURL(`**${security}`);
	await p.page.waitForLoadState("networkidle");
	await p.sees("2-step verification is on");
	await p.go(security);
	await p.doesNotSee("Wrong code");
});

journey("a pasted code is sent at once", async (p) => {
	await p.context.grantPermissions(["clipboard-read", "clipboard-write"]);
	await owing(p);
	const right = await p.code();
	const paste = (text) => p.page.evaluate((t) => navigator.clipboard.writeText(t), text);
	await paste("no code");
	await p.page.keyboard.press("Control+V");
	assert.equal(await p.field("6-digit code").inputValue(), "no code");
	await p.fill("6-digit code", "");
	await paste(`${right.slice(0, 3)} ${right.slice(3)}`);
	await p.turn(() => p.page.keyboard.press("Control+V"));
	p.isAt(security);
}, scripted);
