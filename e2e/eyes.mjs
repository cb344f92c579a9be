// How to look at a page: pictures, axe-core, a ruler and scales.
import assert from "node:assert/strict";
import { appendFileSync, readFileSync } from "node:fs";
import { artefacts, desk, phone } from "./browser.mjs";

const schemes = ["light", "dark"];

const axeCore = readFileSync(new URL(import.meta.resolve("axe-core/axe.min.js")), "utf8");
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"];

// Text spacing that a page must bear (WCAG 2.2, 1.4.12).
const spacing = "* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important } p { margin-block-end: 2em !important }";

// A page with everything that it loads weighs no more, over the wire and cold.
const heaviest = 14_000;

const note = (what) => appendFileSync(`${artefacts}looks.jsonl`, `${JSON.stringify(what)}\n`);

// look keeps a picture of the page at both sizes and in both colour schemes,
// folded and unfolded, and lets axe and a ruler at each; it also weighs it. The
// name begins with that of the page's template.
export async function look(p, name) {
	if (p.way.script) await weigh(p, name, p.way.mirrored ? Infinity : heaviest);
	else if (await p.page.locator("script").count() === 0) return; // the same with JavaScript
	const sizes = p.way.script ? [phone, desk] : [p.way.size];
	for (const size of sizes) {
		await p.page.setViewportSize(size);
		for (const scheme of p.way.script ? schemes : [p.way.scheme]) {
			await p.page.emulateMedia({ colorScheme: scheme });
			const file = `${name}${p.way.script ? "" : "-noscript"}`;
			await picture(p, file, size, scheme);
			assert.equal(await p.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0, `${name} is wider than ${size.width} pixels`);
			const folded = await p.page.evaluate(() => [...document.querySelectorAll("details:not([open])")].map((d) => { d.open = true; d.dataset.folded = ""; }).length);
			if (folded) await picture(p, `${file}-open`, size, scheme);
			await noViolations(p, `${file} ${size.width} ${scheme}`);
			assert.deepEqual(await overlaps(p), [], `${name} at ${size.width}: controls over words`);
			await p.page.evaluate(() => document.querySelectorAll("[data-folded]").forEach((d) => { d.open = false; delete d.dataset.folded; }));
		}
	}
	await measure(p, name);
	await p.page.setViewportSize(p.way.size);
	await p.page.emulateMedia({ colorScheme: p.way.scheme });
}

async function picture(p, name, { width, height }, scheme) {
	const file = `${name}-${width}-${scheme}.png`;
	for (let tries = 1; ; tries++) {
		try {
			await p.page.screenshot({ path: artefacts + file, fullPage: true, timeout: 20_000 });
			break;
		} catch (e) { // a browser that has no time to paint says so, or never answers; another size makes it paint
			if (tries > 3 || !/Unable to capture screenshot|Timeout .* exceeded/.test(e.message)) throw e;
			await p.page.setViewportSize({ width, height: height + 1 });
			await p.page.setViewportSize({ width, height });
		}
	}
	note({ picture: file, name, width, scheme });
}

// noViolations: axe finds nothing wrong, and nothing that it could not judge.
async function noViolations(p, where) {
	const found = await axe(p);
	note({ axe: where, rules: found.passes });
	assert.deepEqual(found.wrong, [], `axe: ${where}`);
}

export async function axe(p) {
	const page = p.way.script ? p.page : await copy(p);
	if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(axeCore);
	return page.evaluate(async (tags) => {
		const r = await globalThis.axe.run(document, { runOnly: tags });
		const wrong = [...r.violations, ...r.incomplete].map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html).join(" ")}`);
		return { wrong, passes: r.passes.length };
	}, rules);
}

// copy is the page as it is, in a browser where scripts run (axe is one) but
// the page's own never arrives.
async function copy(p) {
	if (!p.copy) {
		const { size, scheme } = p.way;
		p.copy = await (await p.context.browser().newContext({ viewport: size, colorScheme: scheme, reducedMotion: "reduce" })).newPage();
		await p.copy.route("**/*", (route) => {
			switch (route.request().resourceType()) {
			case "document": return route.fulfill({ contentType: "text/html; charset=utf-8", body: p.html });
			case "script": return route.abort();
			default: return route.continue();
			}
		});
	}
	p.html = await p.page.content();
	await p.copy.goto(p.page.url());
	return p.copy;
}

// overlaps finds words that lie under a control that is not theirs.
export function overlaps(p) {
	return p.page.evaluate(() => {
		const controls = [...document.querySelectorAll("a, button, summary, input:not(.vh), img")].filter((e) => e.checkVisibility({ visibilityProperty: true }) && !e.classList.contains("vh"));
		const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
		while (texts.nextNode()) {
			const words = texts.currentNode, range = document.createRange();
			if (!words.data.trim() || words.parentElement.closest(".vh") || !words.parentElement.checkVisibility({ visibilityProperty: true })) continue;
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
export async function measure(p, name) {
	await p.page.setViewportSize({ width: 320, height: 844 });
	const wide = await p.page.evaluate((css) => {
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

// weigh counts the page and all that it refers to, each as it came over the
// wire the first time. The icon, which a browser without a window does without,
// is asked for here.
async function weigh(p, name, most) {
	const refers = await p.page.evaluate(() => [...document.querySelectorAll("link[href], script[src], img[src]")].map((e) => [e.href || e.src, e.rel]).filter(([u]) => /^https?:/.test(u)));
	for (const [u] of refers.filter(([u, rel]) => rel === "icon" && !p.wire.has(u))) {
		const icon = await p.context.request.get(u, { headers: { "Accept-Encoding": "gzip" } });
		p.wire.set(u, Number(icon.headers()["content-length"]) + icon.headersArray().reduce((sum, h) => sum + h.name.length + h.value.length + 4, 0));
	}
	const here = p.page.url().replace(/#.*/, "");
	for (let i = 0; (!p.documents.has(here) || refers.some(([u]) => !p.wire.has(u))) && i < 400; i++) await new Promise((r) => setTimeout(r, 50));
	const requests = 1 + refers.length;
	const bytes = p.documents.get(here) + refers.reduce((sum, [u]) => sum + p.wire.get(u), 0);
	note({ weight: name, requests, bytes, html: p.documents.get(here) });
	assert.ok(bytes <= most, `${name} weighs ${bytes} bytes`);
	if (name === "signin") assert.ok(requests <= 3, `sign-in takes ${requests} requests`);
}
