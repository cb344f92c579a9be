// The browser, its sizes, and where pictures go.
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const artefacts = fileURLToPath(new URL("artefacts/", import.meta.url));
mkdirSync(artefacts, { recursive: true });

export const launch = () => chromium.launch({
	executablePath: process.env.E2E_CHROMIUM,
	args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		...(process.env.E2E_NAMES ? [`--host-resolver-rules=MAP ${process.env.E2E_NAMES} 127.0.0.1`] : [])],
});

export const phone = { width: 390, height: 844 };
export const desk = { width: 1280, height: 900 };
