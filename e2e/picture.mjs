// Makes docs/pages.png, the picture of the README, from what the journeys saw
// last: node e2e/picture.mjs
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { artefacts, launch } from "./browser.mjs";

const shown = ["enroll-390-light", "security-codes-390-light", "verify-network-390-dark"];

const browser = await launch();
const page = await browser.newPage({ viewport: { width: 1296, height: 740 } });
const image = (name) => `<img alt="" src="data:image/png;base64,${readFileSync(`${artefacts}${name}.png`, "base64")}">`;
await page.setContent(`<!doctype html><style>
	body { margin: 0; padding: 24px; display: flex; gap: 24px; background: #d8dfe2 }
	div { height: 692px; flex: 1; overflow: hidden; border-radius: 12px; box-shadow: 0 2px 12px #0004 }
	img { display: block; width: 100% }
</style>${shown.map((name) => `<div>${image(name)}</div>`).join("")}`);
await page.screenshot({ path: fileURLToPath(new URL("../docs/pages.png", import.meta.url)) });
await browser.close();
