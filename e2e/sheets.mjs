// Puts what the journeys saw on sheets, for people to look over all at once, and
// what they weighed in weight.json.
import { readFileSync, writeFileSync } from "node:fs";
import { artefacts, launch } from "./browser.mjs";

const seen = readFileSync(`${artefacts}looks.jsonl`, "utf8").trim().split("\n").map((line) => JSON.parse(line));
const byName = (a, b) => (a.name ?? a.weight).localeCompare(b.name ?? b.weight);

const weights = seen.filter((s) => s.weight).sort(byName);
writeFileSync(`${artefacts}weight.json`, `${JSON.stringify(Object.fromEntries(weights.map(({ weight, ...rest }) => [weight, rest])), null, 2)}\n`);
console.log("page, requests, bytes over the wire cold with everything it loads, of these the page");
for (const { weight, requests, bytes, html } of weights) console.log(weight.padEnd(24), String(requests).padStart(2), String(bytes).padStart(6), String(html).padStart(6));

const pictures = [...new Map(seen.filter((s) => s.picture).sort(byName).map((s) => [s.picture, s])).values()];
const groups = Map.groupBy?.(pictures, group) ?? pictures.reduce((m, s) => m.set(group(s), [...(m.get(group(s)) ?? []), s]), new Map());
function group({ name, width, scheme }) { return `${/-noscript(-open)?$/.test(name) ? "noscript-" : ""}${width}-${scheme}`; }

const browser = await launch();
const page = await browser.newPage();
for (const [name, on] of groups) {
	const wide = on[0].width > 600, shown = wide ? 480 : 260;
	await page.setViewportSize({ width: (wide ? 4 : 8) * (shown + 16) + 16, height: 600 });
	const figures = on.map((s) => `<figure><img src="data:image/png;base64,${readFileSync(artefacts + s.picture, "base64")}" width="${shown}"><figcaption>${s.name}</figcaption></figure>`);
	await page.setContent(`<!doctype html><style>body { margin: 16px; columns: ${wide ? 4 : 8}; column-gap: 16px; background: #888 } figure { margin: 0 0 16px; break-inside: avoid; font: 14px sans-serif } img { display: block }</style>${figures.join("")}`);
	await page.screenshot({ path: `${artefacts}sheet-${name}.png`, fullPage: true });
}
await browser.close();
console.log(`${groups.size} sheets of ${pictures.length} pictures, ${seen.filter((s) => s.axe).length} runs of axe`);
