// What operators and administrators do in several journeys.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { Person } from "./person.mjs";

// command runs the program beside the server.
export const command = (args, input = "") => execFileSync(process.env.E2E_PROGRAM, args, { cwd: process.env.E2E_DATA, input, encoding: "utf8", stdio: ["pipe", "pipe", "pipe"] });

// makeAccount is what an operator does; the first administrator is made so.
export const makeAccount = (email, name, password, ...flags) => command(["account", "create", "--dev", "--email", email, "--name", name, ...flags], `${password}\n`);

// administrator is p with such an account, and 2-step verification on.
export async function administrator(p) {
	p.name = "Ada Byron";
	makeAccount(p.email, p.name, p.password, "--admin");
	await p.signIn();
	await p.enable();
}

// ben is another person, who has an app.
export async function ben(p) {
	const other = await Person.arrive(p.way);
	other.name = "Ben Okafor";
	await other.signUp();
	await other.signIn();
	await other.enable();
	return other;
}

// find is the page of an account, by way of the list.
export async function find(p, email, name) {
	await p.go("/admin");
	await p.fill("Find an account", email);
	await p.press("Find");
	await p.follow(name);
}

// words fails unless all texts are on the page, also in several elements.
export const words = async (p, ...texts) => {
	const shown = (await p.words()).replaceAll("\u00a0", " ");
	for (const text of texts) assert.ok(shown.includes(text), `${text} is on the page: ${shown}`);
};
