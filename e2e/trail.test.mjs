// Journey 13: administrators require 2-step verification, and read, export and
// verify the log of all accounts; their pages in other languages.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { administrator, command, makeAccount, words } from "./admin.mjs";
import { address, journey, Person, scripted } from "./person.mjs";

const security = "/settings/user/security";

journey("require 2-step verification", async (p) => {
	const group = `team-${p.n}`;
	const other = await Person.arrive(p.way);
	makeAccount(other.email, "Dora Silva", other.password, "--group", group);
	await other.signIn();
	await administrator(p);
	await p.follow("Accounts");
	await p.follow("Require 2-step verification");
	await p.isTitled("Require 2-step verification");
	await p.look("adminrequire");
	await p.fill("Group, empty for everyone", group);
	await p.fill("Days for new accounts", "many");
	await p.fill("Reason", "policy");
	await p.press("Require it", 422);
	await p.isRefused("Days for new accounts", "Use 0 to 366 days.");
	await p.fill("Days for new accounts", "0");
	await p.press("Require it");
	await words(p, "The requirement was saved.", group);
	await p.look("adminrequire-one");

	await other.go(security);
	await other.isTitled("2-step verification is required");
	await p.follow(`Take back ${group}`);
	await p.isTitled(`No longer require 2-step verification of the group ${group}?`);
	await p.look("adminact-require");
	await p.fill("Reason", "a mistake");
	await p.press("Take back");
	await p.sees("The requirement was taken back.");
	await p.doesNotSee(group);
	await other.go(security);
	other.isAt(security);
	await other.leave();
});

journey("the log of all accounts", async (p) => {
	await administrator(p);
	await p.follow("Accounts");
	await p.follow("Activity log");
	await p.isTitled("Activity log");
	await words(p, p.email, "Added: Authenticator app, Authenticator app");
	await p.look("admintrail");

	const [download] = await Promise.all([p.page.waitForEvent("download"), p.link("Export as JSON Lines").click()]);
	assert.match(download.suggestedFilename(), /^twinlatch-events-\d{4}-\d\d-\d\d\.jsonl$/);
	assert.equal(readFileSync(await download.path(), "utf8"), command(["events", "export"]));

	await p.press("Verify the log");
	await p.isTitled("Verify the log");
	await p.sees("Nobody altered the log.");
	await p.look("adminverify");
	await p.follow("Activity log");
});

// In words that are longer, and from right to left.
for (const [language, end] of [["cs", "cs"], ["ar-XB", "rtl"]]) {
	journey(`administration in ${language}`, async (p) => {
		await administrator(p);
		await p.context.addCookies([{ name: "lang", value: language, url: address }]);
		const look = async (name) => {
			assert.equal(await p.page.locator("html").getAttribute("lang"), language);
			await p.look(`${name}-${end}`);
		};
		makeAccount(`staff.${p.n}@example.com`, "Staff", p.password, "--group", "crew");
		await p.go("/admin");
		await look("adminaccounts");
		const account = await p.page.getByRole("link", { name: "Staff", exact: true }).first().getAttribute("href");
		await p.go(account);
		await look("adminaccount");
		for (const [act, status] of [["groups", 422], ["delete", 422]]) {
			await p.go(`${account}/${act}`);
			await p.turn(() => p.page.locator("main .btn").click(), status);
			await look(`adminact-${act}`);
		}
		await p.go("/admin/require");
		await p.turn(() => p.page.locator("main .btn").click(), 422);
		await look("adminrequire");
		await p.go("/admin/events");
		await look("admintrail");
		await p.turn(() => p.page.locator("main button.btn").click());
		await look("adminverify");
	}, scripted.map((way) => ({ ...way, name: `${way.name}, ${language}`, mirrored: end === "rtl" })));
}
