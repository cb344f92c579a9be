// Journey 9: the pages in Czech, as a Czech browser gets them; another language by
// choice; and from right to left, in English of mirrored letters that are 40 % more.
import assert from "node:assert/strict";
import { address, journey, now, outbox, totp, walks } from "./person.mjs";

const security = "/settings/user/security";
const czech = walks.map((way) => ({ ...way, name: `${way.name}, cs-CZ`, language: "cs-CZ", wrong: "Chyba: " }));
const rightToLeft = walks.map((way) => ({ ...way, name: `${way.name}, right to left`, mirrored: true }));

const other = (code) => String((Number(code) + 1) % 1e6).padStart(6, "0");

journey("in Czech", async (p) => {
	await p.go("/");
	await p.isTitled("Přihlášení");
	assert.equal(await p.page.locator("html").getAttribute("lang"), "cs");
	await p.look("signin-cs");
	await p.follow("Vytvořit účet");
	await p.press("Vytvořit účet", 422);
	await p.isRefused("Vaše jméno", "Zadejte své jméno.");
	await p.look("signup-cs-wrong");
	await p.fill("Vaše jméno", "Žofie Dvořáková");
	await p.fill("E-mailová adresa", p.email);
	await p.fill("Heslo", p.password);
	await p.press("Vytvořit účet");
	await p.sees("Podívejte se do e-mailu", p.email);
	await p.look("signin-cs-mailed");
	await p.confirmAddress();
	await p.isTitled("Potvrzení e-mailové adresy");
	await p.look("emaildone-cs");
	await p.follow("Přihlášení");
	await p.fill("E-mailová adresa", p.email);
	await p.fill("Heslo", p.password);
	await p.press("Přihlásit se");
	await p.isTitled("Zabezpečení");
	await p.sees("Dvoufázové ověření je vypnuté", "Účet vytvořen");
	await p.look("security-cs-off");

	await p.press("Zapnout Ověřovací aplikace");
	await p.isTitled("Nastavení ověřovací aplikace");
	await p.look("enroll-cs");
	p.key = await p.setupKey();
	const wrong = other(totp(p.key, await now()));
	await p.page.locator("#code").fill(wrong);
	await p.press("Potvrdit", 422);
	await p.isRefused("Šestimístný kód", "Tento kód není správný. Najděte v aplikaci nejnovější kód a zkuste to znovu. Zbývají vám 4 pokusy.");
	await p.look("enroll-cs-wrong");
	await p.page.locator("#code").fill(await p.code());
	await p.press("Potvrdit");
	await p.sees("Dvoufázové ověření je zapnuté", "jednou za 30 dní", "Máte jen jeden způsob ověření.");
	await p.follow("Profil");
	await p.isTitled("Profil");
	await p.look("profile-cs");
	await p.follow("Změnit e-mailovou adresu");
	await p.look("address-cs");
	await p.go(security);
	await p.press("Vytvořit záložní kódy");
	await p.look("backupcodes-cs");
	await p.follow("Kódy mám uložené");
	await p.look("security-cs-on");

	// A message comes in the language of the page.
	await p.follow("Zapnout Textová zpráva");
	const number = `+44 7700 9${String(p.n).padStart(3, "0")}31`;
	await p.fill("Telefonní číslo", number);
	await p.press("Poslat kód");
	await p.look("enroll-cs-text");
	const sent = (await outbox()).find((m) => m.to === number.replaceAll(" ", ""));
	assert.match(sent.body, /^\d{6} je vas kod pro Twinlatch\. Nikomu ho nerikejte\.\n\n@\S+ #\d{6}$/);
	await p.go(security);

	await p.press("Odhlásit se");
	await p.isTitled("Odhlášení proběhlo");
	await p.follow("Přihlásit se znovu");
	await p.fill("E-mailová adresa", p.email);
	await p.fill("Heslo", p.password);
	await p.press("Přihlásit se");
	await p.isTitled("Zadejte kód z ověřovací aplikace");
	await p.look("verify-cs");
	await p.page.locator("#code").fill("12 34");
	await p.press("Potvrdit", 422);
	await p.isRefused("Šestimístný kód", "Zadejte všech 6 číslic.");
	await p.look("verify-cs-wrong");
	await p.follow("Zkusit jiný způsob");
	await p.look("ways-cs");
	await p.go("/help");
	await p.look("help-cs");
	await p.go("/verify");
	await p.page.locator("#code").fill(await p.code());
	await p.press("Potvrdit");
	p.isAt(security);
}, czech);

journey("choose a language", async (p) => {
	await p.signUp();
	await p.press("Čeština");
	p.isAt("/sign-in");
	await p.isTitled("Přihlášení");
	await p.press("English");
	await p.signIn();
	await p.enable();
	await p.press("Čeština");
	p.isAt(security);
	await p.isTitled("Zabezpečení");

	// The choice is the account's: another browser knows it after the first step.
	const elsewhere = await p.elsewhere();
	await elsewhere.go("/sign-in");
	await elsewhere.isTitled("Sign in");
	await elsewhere.giveIn();
	await elsewhere.isTitled("Zadejte kód z ověřovací aplikace");
	await elsewhere.press("English");
	await elsewhere.isTitled("Enter the code from your authenticator app");
	await elsewhere.leave();
});

journey("from right to left", async (p) => {
	await p.context.addCookies([{ name: "lang", value: "ar-XB", url: address }]);
	const press = (action, status) => p.turn(() => p.page.locator(`form[action^="${action}"] .btn`).last().click(), status);
	const open = (path) => p.turn(() => p.page.locator(`a[href^="${path}"]`).first().click());
	const fill = (id, text) => p.page.locator(`[id="${id}"]`).fill(text);
	const signIn = async () => {
		await fill("email", p.email);
		await fill("password", p.password);
		await press("/sign-in");
	};
	const look = async (name) => {
		assert.equal(await p.page.locator("html").getAttribute("dir"), "rtl");
		await p.look(`${name}-rtl`);
	};

	await p.go("/sign-up");
	await press("/sign-up", 422);
	await look("signup");
	await fill("name", p.name);
	await fill("email", p.email);
	await fill("password", p.password);
	await press("/sign-up");
	await look("signin");
	await signIn();
	await look("security-unconfirmed");
	await p.confirmAddress();
	await look("emaildone");
	await p.go("/settings/user/profile");
	await look("profile");
	await p.go("/settings/user/profile/address");
	await look("address");
	await p.go(security);
	await look("security-off");
	await press(`${security}/add/totp`);
	p.key = await p.setupKey();
	await look("enroll");
	await fill("code", other(totp(p.key, await now())));
	await press(`${security}/confirm/`, 422);
	await look("enroll-wrong");
	await fill("code", await p.code());
	await press(`${security}/confirm/`);
	await press(`${security}/backup-codes`);
	const [backup] = await p.page.locator("#codes li").allInnerTexts();
	await look("backupcodes");
	await p.go(security);
	await look("security-on");
	await open(`${security}/add/text`);
	await look("add-text");
	await fill("phone", `+44 7700 9${String(p.n).padStart(3, "0")}51`);
	await press(`${security}/add/text`);
	await look("enroll-text");
	await p.go(security);
	await open(`${security}/turn-off`);
	await look("turnoff");
	await p.go(security);
	await p.page.locator("summary.btn").first().click();
	await p.turn(() => p.page.locator(`a[href$="/remove"]`).click());
	await look("remove");

	await p.page.locator(`form[action="/sign-out"] .btn`).click();
	await p.page.waitForLoadState();
	await look("signedout");
	await p.go("/sign-in");
	await signIn();
	await look("verify");
	await fill("code", "abc");
	await press("/verify", 422);
	await look("verify-wrong");
	await open("/verify/ways");
	await look("ways");
	await open("/recover");
	await look("recover");
	await fill("code", backup);
	await press("/recover");
	await look("security-lost");
	await open(`${security}/lost`);
	await look("lost-add");
	await p.go("/help");
	await look("help");
	await p.go("/nothing", 404);
	await look("message");
}, rightToLeft);
