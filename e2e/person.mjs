// How to be a person with a browser, an authenticator app (oathtool) and eyes
// (screenshots, axe-core, a reader of QR codes). Every test file has a server of
// its own, so that moving its clock disturbs nobody else.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, readFileSync } from "node:fs";
import { after, test } from "node:test";
import { artefacts, launch } from "./browser.mjs";

export const address = process.env.E2E_ADDRESS;

const browser = await launch();
after(() => browser.close());

export const phone = { width: 390, height: 844 };
export const desk = { width: 1280, height: 900 };
const schemes = ["light", "dark"];

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
			} finally {
				await p.leave();
			}
		});
	}
}

const axe = readFileSync(new URL(import.meta.resolve("axe-core/axe.min.js")), "utf8");
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"];

// Text spacing that a page must bear (WCAG 2.2, 1.4.12).
const spacing = "* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important } p { margin-block-end: 2em !important }";

// A page with everything that it loads weighs no more, over the wire and cold.
const heaviest = 14_000;

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
		p.context = await browser.newContext({
			javaScriptEnabled: way.script, viewport: way.size, colorScheme: way.scheme, reducedMotion: "reduce", locale: "en-GB",
			userAgent: way.userAgent, baseURL: address,
		});
		p.context.setDefaultTimeout(20_000);
		await p.from(`198.51.100.${p.n}`);
		await p.open();
		return p;
	}

	// leave closes the browser, which must have had nothing to complain about.
	async leave() {
		await this.context.close();
		await this.second?.context().close();
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
		this.cdp.on("Network.requestWillBeSent", (e) => open.set(e.requestId, [e.request.url, e.type]));
		this.cdp.on("Network.loadingFinished", (e) => {
			const [url, type] = open.get(e.requestId) ?? [];
			if (type === "Document") this.document = e.encodedDataLength;
			else if (e.encodedDataLength > (this.wire.get(url) ?? 0)) this.wire.set(url, e.encodedDataLength);
		});
	}

	// An answer that refuses is one that the test asked for and looks at; the
	// browser tells of it in the console.
	#hear(type, text) {
		if (!["error", "warning"].includes(type)) return;
		if (!/^Failed to load resource: the server responded with a status of 4\d\d /.test(text)) this.complaints.push(text);
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

	async signUp() {
		await this.go("/sign-up");
		await this.fill("Your name", this.name);
		await this.fill("E-mail address", this.email);
		await this.fill("Password", this.password);
		await this.press("Create account");
		this.isAt("/sign-in");
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

	// enable sets an authenticator app up, the first or another one, from Security.
	async enable(button = "Enable Authenticator app") {
		const shown = this.button(button);
		if (!(await shown.isVisible())) await this.unfold();
		await this.press(button);
		this.key = await this.setupKey();
		this.keys.push(this.key);
		await this.confirm();
		this.isAt("/settings/user/security");
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
			await found.waitFor({ timeout: 3000 }).catch(async () => {
				assert.fail(`not on the page: ${text}\nthere is: ${await this.words()}`);
			});
		}
	}

	async doesNotSee(text) {
		const n = await this.page.getByText(text).filter({ visible: true }).count();
		assert.equal(n, 0, `on the page: ${text}`);
	}

	async isTitled(title) { assert.equal(await this.page.title(), `${title} – Twinlatch`); }

	// isRefused: the page answers a mistake as the design wants it.
	async isRefused(field, message) {
		assert.match(await this.page.title(), /^Error: /);
		const box = this.field(field);
		assert.equal(await box.getAttribute("aria-invalid"), "true", "aria-invalid");
		assert.ok(await box.evaluate((e) => e === document.activeElement), "focus is in the field");
		const told = (await box.getAttribute("aria-describedby")).split(" ").map((id) => this.page.locator(`[id="${id}"]`));
		const texts = await Promise.all(told.map((e) => e.innerText()));
		assert.ok(texts.includes(message), `${texts} has ${message}`);
		assert.equal(await told[texts.indexOf(message)].getAttribute("role"), "alert");
	}

	// focus is the id or the words of what has the focus.
	focus() { return this.page.evaluate(() => document.activeElement.id || document.activeElement.innerText.trim()); }

	clipboard() { return this.page.evaluate(() => navigator.clipboard.readText()); }

	// words are all that the page shows.
	words() { return this.page.locator("body").innerText(); }

	// look keeps a picture of the page at both sizes and in both colour schemes,
	// folded and unfolded, and lets axe and a ruler at each; it also weighs it. The
	// name begins with that of the page's template.
	async look(name) {
		if (this.way.script) await this.#weigh(name);
		else if (await this.page.locator("script").count() === 0) return; // the same with JavaScript
		const sizes = this.way.script ? [phone, desk] : [this.way.size];
		for (const size of sizes) {
			await this.page.setViewportSize(size);
			for (const scheme of this.way.script ? schemes : [this.way.scheme]) {
				await this.page.emulateMedia({ colorScheme: scheme });
				const file = `${name}${this.way.script ? "" : "-noscript"}`;
				await this.#picture(file, size, scheme);
				const folded = await this.page.evaluate(() => [...document.querySelectorAll("details:not([open])")].map((d) => { d.open = true; d.dataset.folded = ""; }).length);
				if (folded) await this.#picture(`${file}-open`, size, scheme);
				await this.#axe(`${file} ${size.width} ${scheme}`);
				assert.deepEqual(await this.overlaps(), [], `${name} at ${size.width}: controls over words`);
				await this.page.evaluate(() => document.querySelectorAll("[data-folded]").forEach((d) => { d.open = false; delete d.dataset.folded; }));
			}
		}
		await this.measure(name);
		await this.page.setViewportSize(this.way.size);
		await this.page.emulateMedia({ colorScheme: this.way.scheme });
	}

	async #picture(name, { width }, scheme) {
		const file = `${name}-${width}-${scheme}.png`;
		await this.page.screenshot({ path: artefacts + file, fullPage: true });
		note({ picture: file, name, width, scheme });
	}

	// #axe finds nothing wrong, and nothing that it could not judge.
	async #axe(where) {
		const found = await this.axe();
		note({ axe: where, rules: found.passes });
		assert.deepEqual(found.wrong, [], `axe: ${where}`);
	}

	async axe() {
		const page = this.way.script ? this.page : await this.#copy();
		if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(axe);
		return page.evaluate(async (tags) => {
			const r = await globalThis.axe.run(document, { runOnly: tags });
			const wrong = [...r.violations, ...r.incomplete].map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html).join(" ")}`);
			return { wrong, passes: r.passes.length };
		}, rules);
	}

	// #copy is the page as it is, in a browser where scripts run (axe is one) but
	// the page's own never arrives.
	async #copy() {
		if (!this.second) {
			const { size, scheme } = this.way;
			this.second = await (await browser.newContext({ viewport: size, colorScheme: scheme, reducedMotion: "reduce" })).newPage();
			await this.second.route("**/*", (route) => {
				switch (route.request().resourceType()) {
				case "document": return route.fulfill({ contentType: "text/html; charset=utf-8", body: this.html });
				case "script": return route.abort();
				default: return route.continue();
				}
			});
		}
		this.html = await this.page.content();
		await this.second.goto(this.page.url());
		return this.second;
	}

	// overlaps finds words that lie under a control that is not theirs.
	overlaps() {
		return this.page.evaluate(() => {
			const controls = [...document.querySelectorAll("a, button, summary, input:not(.vh), img")].filter((e) => e.checkVisibility() && !e.classList.contains("vh"));
			const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
			while (texts.nextNode()) {
				const words = texts.currentNode, range = document.createRange();
				if (!words.data.trim() || words.parentElement.closest(".vh") || !words.parentElement.checkVisibility()) continue;
				range.selectNodeContents(words);
				for (const control of controls) {
					const boxes = [...control.getClientRects()];
					const over = (r) => boxes.some((c) => Math.min(c.right, r.right) - Math.max(c.left, r.left) > 2 && Math.min(c.bottom, r.bottom) - Math.max(c.top, r.top) > 2);
					if (!control.contains(words) && [...range.getClientRects()].some(over)) found.push(`${control.innerText || control.id}: ${words.data}`);
				}
			}
			return found;
		});
	}

	// measure: no page scrolls sideways on the narrowest phone, with wide text
	// spacing, or from right to left.
	async measure(name) {
		await this.page.setViewportSize({ width: 320, height: 844 });
		const wide = await this.page.evaluate((css) => {
			const html = document.documentElement, before = [...document.adoptedStyleSheets], dir = html.dir, over = {};
			const measure = (how) => { if (html.scrollWidth > html.clientWidth) over[how] = html.scrollWidth; };
			measure("plain");
			const sheet = new CSSStyleSheet();
			sheet.replaceSync(css);
			document.adoptedStyleSheets = [sheet];
			measure("spaced");
			document.adoptedStyleSheets = before;
			html.dir = "rtl";
			measure("right to left");
			html.dir = dir;
			return over;
		}, spacing);
		assert.deepEqual(wide, {}, `${name} is wider than 320 pixels`);
	}

	// #weigh counts the page and all that it refers to, each as it came over the
	// wire the first time.
	async #weigh(name) {
		const refers = await this.page.evaluate(() => [...document.querySelectorAll("link[href], script[src], img[src]")].map((e) => e.href || e.src).filter((u) => /^https?:/.test(u)));
		for (let i = 0; refers.some((u) => !this.wire.has(u)) && i < 100; i++) await new Promise((r) => setTimeout(r, 50));
		const requests = 1 + refers.length;
		const bytes = this.document + refers.reduce((sum, u) => sum + this.wire.get(u), 0);
		note({ weight: name, requests, bytes, html: this.document });
		assert.ok(bytes <= heaviest, `${name} weighs ${bytes} bytes`);
		if (name === "signin") assert.ok(requests <= 3, `sign-in takes ${requests} requests`);
	}
}

const note = (what) => appendFileSync(`${artefacts}looks.jsonl`, `${JSON.stringify(what)}\n`);

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
