// Journey 3: a code at every sign-in; on a live session after 30 days, and when
// the IP address changes. The person stays signed in and goes on where they were.
import assert from "node:assert/strict";
import { journey, now, wait } from "./person.mjs";

const security = "/settings/user/security";
const turnOff = `${security}/turn-off`;
const asked = `/verify?return_to=${encodeURIComponent(turnOff)}`;
const day = 24 * 60 * 60 * 1000;

journey("asked at every sign-in", async (p) => {
	await p.signUp();
	await p.signIn();
	await p.enable();
	for (let i = 0; i < 2; i++) {
		await p.press("Sign out");
		await p.go("/sign-in");
		await p.giveIn();
		p.isAt("/verify");
		await p.isTitled("Enter the code from your authenticator app");
		await p.sees("Step 2 of 2", `Open your authenticator app and find the code for Twinlatch (${p.email}).`);
		if (i === 0) await p.look("verify");
		// Half signed in is not signed in.
		await p.go(turnOff);
		p.isAt(asked);
		await p.confirm();
		p.isAt(turnOff);
	}
	await p.go(security);
	await p.sees("Signed in: Authenticator app");
	await p.doesNotSee("Right password, second step asked");
});

journey("asked after 30 days", async (p) => {
	await p.signUp();
	await p.signIn();
	await p.enable();
	const verified = await now();

	// Using it does not prolong it.
	for (let days = 0; days < 29; days += 7.25) {
		await wait("174h");
		await p.go(security);
		p.isAt(security);
	}
	const slack = 20_000; // for a slow machine
	await wait(`${Math.floor((verified + 30 * day - slack - await now()) / 1000)}s`);
	await p.go(turnOff);
	p.isAt(turnOff);
	assert.ok(await now() < verified + 30 * day, "this machine is too slow for the question");

	await wait("21s");
	await p.go(turnOff);
	p.isAt(asked);
	await p.isTitled("It’s been 30 days");
	await p.sees("We ask for a new code every 30 days, to be sure it is still you.", `You are still signed in as ${p.email}. Nothing you were doing is lost.`);
	await p.doesNotSee("Step 2 of 2");
	await p.look("verify-30-days");

	// Nobody gets round it, and a mistake keeps the way back.
	await p.go(security);
	p.isAt(`/verify?return_to=${encodeURIComponent(security)}`);
	await p.go(turnOff);
	await p.confirm("000 00", 422);
	await p.isRefused("Enter the code from your authenticator app", "Enter all 6 digits.");
	p.isAt(asked);
	await p.confirm();
	p.isAt(turnOff);
	await p.go(security);
	await p.sees("Asked for a code: 30 days have passed", "Confirmed: Authenticator app");
	await p.go(turnOff);
	p.isAt(turnOff);
});

journey("asked when the IP address changes", async (p) => {
	const home = "203.0.113.24", cafe = "192.0.2.77";
	await p.from(home);
	await p.signUp();
	await p.signIn();
	await p.enable();
	await p.from(cafe);
	await p.go(turnOff);
	p.isAt(asked);
	await p.isTitled("You’re on a new network");
	await p.sees("Your IP address has changed, so we ask for a new code.", "Nothing you were doing is lost.");
	assert.deepEqual(await p.page.locator("dl > div").allInnerTexts(), [`Your IP address now\n${cafe}`, `Last verified from\n${home}`]);
	await p.look("verify-network");
	await p.follow("Try another way");
	await p.sees("Choose another way");
	await p.look("ways-network");
	await p.press("Authenticator app");
	p.isAt(asked);
	await p.confirm();
	p.isAt(turnOff);

	// Going home is a change, too.
	await p.from(home);
	await p.go(turnOff);
	p.isAt(asked);
	await p.confirm();
	p.isAt(turnOff);

	// Signing out instead is offered.
	await p.from(cafe);
	await p.go(security);
	await p.press("Not you? Sign out");
	await p.sees("You are signed out");
	await p.go(security);
	p.isAt(`/sign-in?return_to=${encodeURIComponent(security)}`);
});

journey("IPv6 and both families at once", async (p) => {
	const four = "203.0.113.24";
	await p.from(four);
	await p.signUp();
	await p.signIn();
	await p.enable();
	const passes = async (ip) => { await p.from(ip); await p.go(security); p.isAt(security); };
	const asks = async (ip, was) => {
		await p.from(ip);
		await p.go(security);
		await p.isTitled("You’re on a new network");
		assert.deepEqual(await p.page.locator("dl dd").allInnerTexts(), [ip, was]);
		await p.confirm();
		p.isAt(security);
	};
	await asks("2001:db8:0:7::1f", four); // once for each family
	await passes(four);
	await passes("2001:db8:0:7::1f");
	await passes("2001:db8:0:7:ffff::1"); // the same /64
	await passes(four);
	await asks("2001:db8:0:8::1f", "2001:db8:0:7::1f"); // another
	await passes(four);
	await asks("203.0.113.25", four);
	await passes("2001:db8:0:8::1");
});
