// Journey 7: a code by text message to one of several phone numbers.
import assert from "node:assert/strict";
import { address, journey, scripted, wait } from "./person.mjs";

const security = "/settings/user/security";

// outbox is what development mode kept for a number, newest first.
async function outbox(number) {
	const res = await fetch(`${address}/dev/outbox`, { headers: { Accept: "application/json" } });
	return (await res.json()).filter((m) => m.channel === "text" && m.to === number.replace(/\s/g, ""));
}

const newest = async (number) => (await outbox(number))[0].body.slice(0, 6);

// numbers are this person's own: each gets only so many messages.
const numbers = (p) => [67, 42].map((end) => `+44 7700 9${String(p.n).padStart(3, "0")}${end}`);

// addNumber sets a number up from Security.
async function addNumber(p, number, link = "Enable Text message") {
	if (!(await p.link(link).isVisible())) await p.page.locator("summary.btn").filter({ hasText: "phone numbers" }).click();
	await p.follow(link);
	await p.fill("Phone number", number);
	await p.press("Get code");
	await p.confirm(await newest(number));
	p.isAt(security);
	await wait("31s");
}

journey("set up text messages", async (p) => {
	const [number] = numbers(p);
	await p.signUp();
	await p.signIn();
	await p.follow("Enable Text message");
	await p.isTitled("Set up text messages");
	await p.sees("Start with + and the country code, for example +44 7700 900167", "We use this number only to send you codes.", "Text messages can be read by someone who takes over your phone number.");
	assert.equal(await p.focus(), "phone");
	await p.look("add-text");

	for (const [typed, message] of [
		["call me", "Enter a full phone number with its country code, for example +44 7700 900167."],
		["+44 7700", "Enter a full phone number with its country code, for example +44 7700 900167."],
		["+44 909 879 0000", "This number cannot receive text messages. Use a mobile number."],
	]) {
		await p.fill("Phone number", typed);
		await p.press("Get code", 422);
		await p.isRefused("Phone number", message);
		assert.equal(await p.field("Phone number").inputValue(), typed);
	}
	await p.look("add-text-wrong");

	await p.fill("Phone number", number);
	await p.press("Get code");
	await p.isTitled("Set up text messages");
	await p.sees(`We sent a 6-digit code to ${number}.`);
	assert.equal(await p.focus(), "code");
	await p.look("enroll-text");
	assert.equal((await outbox(number)).length, 1);
	const here = p.page.url();

	// The button to send again shows itself when its time has come, by style alone;
	// pressed earlier it says so.
	const again = p.button("Send again");
	assert.equal(await again.isVisible(), false);
	await p.turn(() => p.page.locator("form.again").evaluate((f) => f.submit()), 429);
	await p.sees("seconds before you send another code.");
	await p.look("enroll-text-early");
	await wait("31s");
	await p.go(here);
	await p.press("Send again");
	const [second, first] = await outbox(number);
	assert.equal(second.body, first.body);
	assert.match(first.body, /^\d{6} is your Twinlatch code\. Do not share it with anyone\.\n\n@\S+ #\d{6}$/);

	await p.confirm(first.body[0] === "0" ? "111111" : "000000", 422);
	await p.isRefused("6-digit code", "That code is not right. Check the newest text message and try again. You have 4 tries left.");
	await p.follow("Change phone number");
	await p.isTitled("Set up text messages");
	await p.go(security);
	await p.sees("2-step verification is off");
	await p.go(here);
	await p.confirm(first.body); // all of it
	p.isAt(security);
	await p.sees("2-step verification is on", "1 phone number");
	await p.page.locator("summary.btn").filter({ hasText: "phone numbers" }).click();
	await p.sees(number, "Add phone number");
	await p.look("security-text");
});

journey("sign in with a text message", async (p) => {
	const [one, two] = numbers(p);
	await p.signUp();
	await p.signIn();
	await addNumber(p, one);
	await addNumber(p, two, "Add phone number");
	await p.press("Sign out");

	// It is sent at once, to the number asked first; looking sends nothing more.
	let before = (await outbox(one)).length;
	await p.go("/sign-in");
	await p.giveIn();
	p.isAt("/verify");
	await p.isTitled("Check your text messages");
	await p.sees("Step 2 of 2", "It works for 10 minutes.", "•••• 67");
	await p.doesNotSee(one);
	assert.equal((await outbox(one)).length, before + 1);
	await p.page.reload();
	await p.look("verify-text");
	await p.follow("Use another phone number");
	await p.isTitled("Where should we send the code?");
	await p.look("pick");
	assert.equal((await outbox(one)).length, before + 1);

	before = (await outbox(two)).length;
	await p.page.getByRole("radio").nth(1).check();
	await p.press("Get code");
	await p.sees("•••• 42");
	assert.equal((await outbox(two)).length, before + 1);
	await p.confirm(await newest(one), 422); // the code of the other number
	await p.isRefused("6-digit code", "That code is not right. Check the newest text message and try again. You have 4 tries left.");
	await p.confirm(await newest(two));
	p.isAt(security);
	await p.sees("Signed in: Text message");

	await wait("1m");
	await p.press("Sign out");
	await p.go("/sign-in");
	await p.giveIn();
	await p.follow("Try another way");
	await p.follow("Text message");
	await p.sees("Used last time");
	await p.look("pick-used");
});

journey("a new network asks before it sends", async (p) => {
	const [number] = numbers(p);
	await p.signUp();
	await p.signIn();
	await addNumber(p, number);
	const before = (await outbox(number)).length;
	await p.from(`203.0.113.${p.n}`);
	await p.go(security);
	await p.isTitled("You’re on a new network");
	await p.sees("Get code");
	await p.look("pick-network");
	assert.equal((await outbox(number)).length, before);
	await p.press("Get code");
	assert.equal((await outbox(number)).length, before + 1);
	await p.sees("We sent a 6-digit code to");
	await p.look("verify-text-network");

	// A code that is over is replaced by the answer itself.
	const old = await newest(number);
	await wait("11m");
	await p.confirm(old, 422);
	await p.sees("That code has expired", "We have just sent a new one to");
	await p.look("verify-text-expired");
	await p.follow("Try another way");
	await p.sees("Get a 6-digit code on your phone");
	await p.look("ways-text");
	await p.go("/verify");
	await p.confirm(await newest(number));
	p.isAt(security);
});

journey("the phone fills the code in, or all of the message is pasted", async (p) => {
	const [number] = numbers(p);
	await p.context.grantPermissions(["clipboard-read", "clipboard-write"]);
	await p.context.addInitScript(() => { // WebOTP, as a phone has it
		globalThis.OTPCredential ??= class {};
		navigator.credentials.get = (asked) => new Promise((fill) => { globalThis.phone = { asked: JSON.stringify(asked.otp), fill }; });
	});
	await p.signUp();
	await p.signIn();
	await addNumber(p, number);
	for (const enter of [
		async () => p.page.evaluate((code) => globalThis.phone.fill({ code }), await newest(number)),
		async () => {
			await p.page.evaluate((body) => navigator.clipboard.writeText(body), (await outbox(number))[0].body);
			await p.page.locator("#code").press("Control+v");
		},
	]) {
		await p.press("Sign out");
		await p.go("/sign-in");
		await p.giveIn();
		assert.equal(await p.page.evaluate(() => globalThis.phone.asked), '{"transport":["sms"]}');
		await p.turn(enter); // nothing is pressed
		p.isAt(security);
		await wait("31s");
	}
}, scripted);

journey("rename, ask first and remove phone numbers", async (p) => {
	const [one, two] = numbers(p), list = () => p.page.locator("summary.btn").filter({ hasText: "phone numbers" }).click();
	await p.signUp();
	await p.signIn();
	await addNumber(p, one);
	await addNumber(p, two, "Add phone number");
	await list();
	await p.sees("2 phone numbers");
	const second = p.page.locator(".sub > ul > li").filter({ hasText: two });
	await second.locator("summary").click();
	await second.getByLabel("New name").fill("Work");
	await p.turn(() => second.getByRole("button", { name: "Rename" }).click());
	await p.sees("Renamed: Text message, Work");
	await list();
	await p.press("Ask this first Work");
	await p.sees("Asked first: Text message, Work");
	await list();
	await p.look("security-numbers");

	await p.press("Sign out");
	await p.go("/sign-in");
	await p.giveIn();
	await p.sees("•••• 42");
	await p.follow("Use another phone number");
	await p.sees("Work");
	await p.look("pick-named");
	await p.go("/verify");
	await p.confirm(await newest(two));
	await list();
	await p.follow("Remove Work");
	await p.isTitled(`Remove ${two}?`);
	await p.look("remove-text");
	await p.press("Remove");
	await p.sees("1 phone number", "Removed: Text message, Work");
});

journey("too many messages", async (p) => {
	const [number] = numbers(p);
	await p.signUp();
	await p.signIn();
	await addNumber(p, number);
	for (let i = 0; i < 5; i++) {
		await p.press("Sign out");
		await p.go("/sign-in");
		await p.giveIn();
		p.isAt("/verify");
		await p.confirm(await newest(number));
		p.isAt(security);
		await wait("61s");
	}
	const before = (await outbox(number)).length;
	await p.press("Sign out");
	await p.go("/sign-in");
	await p.giveIn();
	await p.isTitled("Where should we send the code?");
	await p.press("Get code", 429);
	await p.sees(/^We cannot send more text messages now\. Wait \d+ minutes, or try another way\.$/);
	await p.look("pick-limit");
	assert.equal((await outbox(number)).length, before);
	await p.follow("Try another way");
	await p.sees("Choose another way");
});

journey("a message that is not delivered", async (p) => {
	const number = numbers(p)[0].replace(/..$/, "55");
	await p.signUp();
	await p.signIn();
	await addNumber(p, number);
	await wait("1m");
	await p.press("Sign out");
	await p.go("/sign-in");
	await p.giveIn();
	await p.isTitled("Error: Your text message was not delivered");
	await p.sees("The phone network did not deliver the code to •••• 55", "Check that your phone is on and has signal.", "Wait a minute, then send the code again.", "If it still does not arrive, try another way.");
	await p.look("undelivered");
	await p.follow("Try another way");
	await p.isTitled("Choose another way");
});
