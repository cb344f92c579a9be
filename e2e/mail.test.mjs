// Journey 10: mails to the owner, a forgotten password, "This was not me".
import assert from "node:assert/strict";
import { journey, linkIn } from "./person.mjs";

const security = "/settings/user/security";

journey("a forgotten password", async (p) => {
	await p.signUp();
	await p.signIn();
	await p.enable();
	await p.letter("Twinlatch: 2-step verification was turned on");
	const added = await p.letter("Twinlatch: Authenticator app was added to your account");
	assert.match(added, /What: Authenticator app\nWhen: .* UTC\nDevice: .+\nIP address: 198\.51\.100\.\d+\n/);
	await p.press("Sign out");

	await p.go("/sign-in?return_to=%2Fsettings%2Fuser%2Fprofile");
	await p.follow("Forgot your password?");
	await p.isTitled("Reset your password");
	assert.equal(await p.focus(), "email");
	await p.look("forgot");
	await p.fill("E-mail address", "nonsense");
	await p.press("Send link", 422);
	await p.isRefused("E-mail address", "Enter an e-mail address, for example ana@example.com.");
	await p.fill("E-mail address", p.email);
	await p.press("Send link");
	await p.isTitled("Check your e-mail");
	await p.sees(p.email, "It works once, for 30 minutes.");
	await p.look("forgotsent");

	const link = linkIn(await p.letter("Twinlatch: reset your password"));
	await p.go(link);
	await p.isTitled("Choose a new password");
	await p.look("reset");
	await p.fill("New password", "short");
	await p.press("Change password", 422);
	await p.isRefused("New password", "Use at least 12 characters.");
	p.password = "yellow bus after eleven";
	await p.fill("New password", p.password);
	await p.press("Change password");
	await p.sees("Your password is changed. Sign in with it.");
	await p.look("resetdone");
	await p.letter("Twinlatch: your password was changed");

	await p.follow("Sign in");
	await p.giveIn();
	p.isAt("/verify?return_to=%2Fsettings%2Fuser%2Fprofile"); // the second step is asked as before
	await p.confirm();
	p.isAt("/settings/user/profile"); // where this began
	await p.go(link, 410);
	await p.isTitled("This link no longer works");
	await p.look("deadlink");
	await p.go(security);
	await p.sees("Password reset by e-mail", "Asked for a link to choose a new password");
});

journey("change the password", async (p) => {
	await p.signUp();
	await p.signIn();
	await p.enable();
	const other = await p.elsewhere();
	await other.signIn();
	await p.follow("Change password");
	await p.isTitled("Change your password");
	assert.equal(await p.focus(), "old");
	await p.look("password");
	await p.fill("Your password now", "not it, not at all");
	await p.fill("New password", "yellow bus after eleven");
	await p.press("Change password", 422);
	await p.isRefused("Your password now", "The password is not right. Try again.");
	await p.fill("Your password now", p.password);
	await p.fill("New password", "short");
	await p.press("Change password", 422);
	await p.isRefused("New password", "Use at least 12 characters.");
	await p.fill("Your password now", p.password);
	await p.fill("New password", "yellow bus after eleven");
	await p.press("Change password");
	p.isAt(security);
	await p.sees("Password changed");
	await p.letter("Twinlatch: your password was changed");
	await other.go(security);
	other.isAt("/sign-in?return_to=%2Fsettings%2Fuser%2Fsecurity");
	await other.leave();
});

journey("this was not me", async (p) => {
	await p.signUp();
	await p.signIn();
	await p.enable();
	const link = linkIn(await p.letter("Twinlatch: Authenticator app was added to your account"));
	await p.go(link);
	await p.isTitled("Secure your account");
	await p.sees("This signs you out everywhere and e-mails you a link to choose a new password.");
	await p.look("notme");
	await p.press("Sign out everywhere");
	await p.isTitled("You are signed out everywhere");
	await p.look("notmedone");
	await p.go(security);
	p.isAt("/sign-in?return_to=%2Fsettings%2Fuser%2Fsecurity");
	await p.go(linkIn(await p.letter("Twinlatch: reset your password")));
	await p.isTitled("Choose a new password");
});
