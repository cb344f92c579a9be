// How to be a person with a browser, an authenticator app (oathtool) and a reader
// of QR codes (zbarimg). Every test file has a server of its own, so that moving
// its clock disturbs nobody else.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, test } from "node:test";
import { artefacts, desk, launch, phone } from "./browser.mjs";
import { look } from "./eyes.mjs";

export const address = process.env.E2E_ADDRESS;

const browser = await launch();
after(() => browser.close());

// Both walks take the same way. What a page looks like at the other size and in
// the other colours, look() sees.
export const walks = [
	{ name: "phone, JavaScript on", script: true, size: phone, scheme: "light" },
	{ name: "desk, JavaScript off", script: false, size: desk, scheme: "dark" },
];

export const scripted = walks.filter((way) => way.script);

// journey is a test for each walk, or for some of them, each by a new person.
export function journey(title, walk, on = walks) {
	for (const way of on) {
		test(`${title} (${way.name})`, async () => {
			const p = await Person.arrive(way);
			try {
				await walk(p);
				await p.leave();
			} catch (e) {
				await p.page.screenshot({ path: `${artefacts}failed-${`${title}-${way.name}`.replaceAll(" ", "-")}.png`, fullPage: true }).catch(() => {});
				throw e;
			} finally {
				await p.context.close();
			}
		});
	}
}

let people = 0;

export class Person {
	static async arrive(way = walks[0]) {
		const p = new Person();
		p.n = ++people;
		p.way = way;
		p.name = "Ana Novak";
		p.email = `ana.${p.n}@example.com`;
		p.password = "violet tram before noon";
		p.keys = []; // of all authenticator apps; p.key is the one in use
		p.complaints = [];
		p.wire = new Map(); // bytes of each address that was loaded, cold
		p.documents = new Map(); // and of each page, the last time
		p.context = await browser.newContext({
			javaScriptEnabled: way.script, viewport: way.size, colorScheme: way.scheme, reducedMotion: "reduce", locale: way.language ?? "en-GB",
			userAgent: way.userAgent, baseURL: address, ignoreHTTPSErrors: address?.startsWith("https:"),
		});
		p.context.setDefaultTimeout(60_000);
		await p.from(`198.51.100.${p.n}`);
		await p.open();
		return p;
	}

	// leave closes the browser, which must have had nothing to complain about.
	async leave() {
		await this.context.close();
		await this.copy?.context().close();
		assert.deepEqual(this.complaints, [], "the browser's console");
	}

	// elsewhere is the same person with another browser.
	async elsewhere(way = this.way) {
		const other = await Person.arrive(way);
		Object.assign(other, { email: this.email, password: this.password, key: this.key });
		return other;
	}

	async open() {
		this.page = await this.context.newPage();
		this.page.on("console", (m) => this.#hear(m.type(), m.text()));
		this.page.on("pageerror", (e) => this.#hear("error", e.message));
		this.cdp = await this.context.newCDPSession(this.page);
		await this.cdp.send("Network.enable");
		const open = new Map();
		this.cdp.on("Network.requestWillBeSent", (e) => {
			open.set(e.requestId, [e.request.url, e.type]);
			if (e.type === "Document") this.documents.delete(e.request.url);
		});
		this.cdp.on("Network.loadingFinished", (e) => {
			const [url, type] = open.get(e.requestId) ?? [];
			if (type === "Document") this.documents.set(url, e.encodedDataLength);
			else if (e.encodedDataLength > (this.wire.get(url) ?? 0)) this.wire.set(url, e.encodedDataLength);
		});
	}

	// An answer that refuses is one that the test asked for and looks at; the
	// browser tells of it in the console.
	#hear(type, text) {
		if (!["error", "warning"].includes(type)) return;
		if (!/^Failed to load resource: the server responded with a status of 4\d\d |^WebSocket connection to \S+ failed: HTTP Authentication failed/.test(text)) this.complaints.push(text);
	}

	// from is the network that the next requests come from.
	async from(ip) {
		this.ip = ip;
		await this.context.setExtraHTTPHeaders({ "X-Forwarded-For": ip });
	}

	// Doing

	async go(path, status = 200) {
		const response = await this.page.goto(path);
		assert.equal(response.status(), status, `GET ${path}`);
	}

	// turn does something that brings another page.
	async turn(action, status = 200) {
		const [response] = await Promise.all([this.page.waitForNavigation(), action()]);
		assert.equal(response.status(), status, `the answer, at ${this.page.url()}`);
	}

	button(name) { return this.page.getByRole("button", { name, exact: true }); }
	link(name) { return this.page.getByRole("link", { name, exact: true }); }
	field(label) { return this.page.getByLabel(label, { exact: true }); }

	press(name, status) { return this.turn(() => this.button(name).click(), status); }
	follow(name, status) { return this.turn(() => this.link(name).click(), status); }
	fill(label, text) { return this.field(label).fill(text); }

	// signUp makes an account, whose address is confirmed.
	async signUp() {
		await this.askForAccount();
		await this.confirmAddress();
		await this.go("/sign-in");
	}

	async askForAccount() {
		await this.go("/sign-up");
		await this.fill("Your name", this.name);
		await this.fill("E-mail address", this.email);
		await this.fill("Password", this.password);
		await this.press("Create account");
		this.isAt("/sign-in");
	}

	// confirmAddress opens the link in the newest mail that has one, and confirms, in
	// any language.
	async confirmAddress(to = this.email) {
		await this.go(linkIn(await this.letter(/\/email\//, to)));
		await this.turn(() => this.page.locator(`form[action^="/email/"] .btn`).click());
	}

	// letter is the newest mail to an address whose subject or body is as wanted. It is
	// sent a moment after what it tells of.
	async letter(wanted, to = this.email) {
		for (let tries = 0; tries < 50; tries++) {
			const found = (await outbox()).find((m) => m.channel === "email" && m.to === to && (m.subject === wanted || wanted instanceof RegExp && wanted.test(m.body)));
			if (found) return found.body;
			await new Promise((done) => setTimeout(done, 100));
		}
		assert.fail(`no mail to ${to}: ${wanted}`);
	}

	// signIn is the first step; with an app the second follows.
	async signIn() {
		await this.page.goto("/sign-in");
		await this.giveIn();
		if (this.key) await this.confirm();
		this.isAt("/settings/user/security");
	}

	// giveIn fills in the sign-in page that is there.
	async giveIn() {
		await this.fill("E-mail address", this.email);
		await this.fill("Password", this.password);
		await this.press("Sign in");
	}

	// confirm answers the question for a code that is there.
	async confirm(code, status) {
		await this.page.locator("#code").fill(code ?? await this.code());
		await this.press("Confirm", status);
	}

	// enable sets an authenticator app up, the first or another one, from Security or
	// the guide.
	async enable(button = "Enable Authenticator app", to = "/settings/user/security") {
		const shown = this.button(button);
		if (!(await shown.isVisible())) await this.unfold();
		await this.press(button);
		this.key = await this.setupKey();
		this.keys.push(this.key);
		await this.confirm();
		this.isAt(to);
	}

	async setupKey() { return (await this.page.locator("#key").innerText()).replace(/\s/g, ""); }

	// unfold shows the list of authenticator apps.
	unfold() { return this.page.locator("summary.btn").filter({ hasText: "authenticator app" }).click(); }

	// app is the line of an authenticator app in that list.
	app(name) {
		return this.page.locator(".sub > ul > li").filter({ has: this.page.locator("b").getByText(name, { exact: true }) });
	}

	// codes makes ten backup codes from Security and reads them.
	async codes(button = "Get backup codes") {
		await this.press(button);
		return this.page.locator("#codes li").allInnerTexts();
	}

	// Time is the service's. code waits until the app shows one that was not there
	// before, and gives it.

	async code(key = this.key) {
		await wait("30s");
		return totp(key, await now());
	}

	// Seeing

	isAt(path) { assert.equal(this.page.url().slice(address.length), path); }

	async sees(...texts) {
		for (const text of texts) {
			const found = this.page.getByText(text).filter({ visible: true }).first();
			await found.waitFor({ timeout: 20_000 }).catch(async () => {
				assert.fail(`not on the page: ${text}\nthere is: ${await this.words()}`);
			});
		}
	}

	async doesNotSee(text) {
		const n = await this.page.getByText(text).filter({ visible: true }).count();
		assert.equal(n, 0, `on the page: ${text}`);
	}

	async isTitled(title) { assert.equal(spaced(await this.page.title()), `${title} – Twinlatch`); }

	// isRefused: the page answers a mistake as the design wants it.
	async isRefused(field, message) {
		const title = await this.page.title(), wrong = this.way.wrong ?? "Error: ";
		assert.ok(title.startsWith(wrong), `the title ${title} begins with ${wrong}`);
		const box = this.field(field);
		assert.equal(await box.getAttribute("aria-invalid"), "true", "aria-invalid");
		await this.focused();
		assert.ok(await box.evaluate((e) => e === document.activeElement), "focus is in the field");
		const told = (await box.getAttribute("aria-describedby")).split(" ").map((id) => this.page.locator(`[id="${id}"]`));
		const texts = await Promise.all(told.map(async (e) => spaced(await e.innerText())));
		assert.ok(texts.includes(message), `${texts} has ${message}`);
		assert.equal(await told[texts.indexOf(message)].getAttribute("role"), "alert");
	}

	// focus is the id or the words of what has the focus.
	async focus() {
		await this.focused();
		return this.page.evaluate(() => document.activeElement.id || document.activeElement.innerText.trim());
	}

	// focused waits for the first paint of a page, which is when a browser heeds autofocus:
	// a busy one comes to it after the page has loaded.
	async focused() {
		const waits = () => document.activeElement === document.body && [...document.querySelectorAll("[autofocus]")].some((e) => e.checkVisibility());
		for (let tries = 0; tries < 50 && await this.page.evaluate(waits); tries++) {
			await new Promise((done) => setTimeout(done, 100));
		}
	}

	clipboard() { return this.page.evaluate(() => navigator.clipboard.readText()); }

	// words are all that the page shows.
	words() { return this.page.locator("body").innerText(); }

	look(name) { return look(this, name); }
}

// spaced is a text whose spaces all look the same, as they do on the page.
const spaced = (text) => text.replaceAll("\u00a0", " ");

// outbox is what development mode kept, newest first.
export async function outbox() {
	const res = await fetch(`${address}/dev/outbox`, { headers: { Accept: "application/json" } });
	return res.json();
}

// linkIn is where the link in a mail leads. The server was told another name for its
// address than the browser uses.
export const linkIn = (body) => new URL(body.match(/https?:\S+\/(?:reset|not-me|email)\/\S+/)[0]).pathname;

// now is the service's time in milliseconds.
export async function now() {
	const res = await fetch(`${address}/dev/clock`);
	return Date.parse((await res.json()).now);
}

// wait moves the service's clock.
export async function wait(advance) {
	const res = await fetch(`${address}/dev/clock`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ advance }) });
	assert.equal(res.status, 200, `clock: ${await res.text()}`);
}

// totp is what an authenticator app shows at a time.
export function totp(key, at) {
	const when = new Date(at).toISOString().replace("T", " ").replace(/\..*/, " UTC");
	return execFileSync("oathtool", ["--totp", "--base32", `--now=${when}`, key], { encoding: "utf8" }).trim();
}

// scan reads the QR code in a picture.
export function scan(png) {
	return execFileSync("zbarimg", ["--quiet", "--raw", "-"], { input: png, encoding: "utf8", stdio: ["pipe", "pipe", "pipe"] }).trim();
}
