// Journey 13: 2-step verification is required, from a date or after a reset.
import { command } from "./admin.mjs";
import { journey } from "./person.mjs";

const security = "/settings/user/security";

// quietly runs a command that may have nothing to do.
function quietly(args) {
	try { command(args); } catch { /* it was so already */ }
}

journey("whoever has to add a method is led to it", async (p) => {
	quietly(["require", "remove", "--reason", "from the start"]);
	await p.signUp();
	await p.signIn();
	command(["require", "set", "--from", "2101-01-31", "--reason", "the board decided"]);
	await p.go(security);
	await p.sees("Your administrator requires 2-step verification from 31 Jan 2101.");
	await p.look("security-required-soon");

	// From now on: also who is signed in gets no further.
	command(["require", "set", "--from", "2020-01-01", "--reason", "the board decided"]);
	await p.go(security);
	p.isAt(`/required?return_to=${encodeURIComponent(security)}`);
	await p.isTitled("2-step verification is required");
	await p.sees("Your administrator asks for it. Choose a method to go on.");
	await p.look("required");
	await p.go("/settings/user/profile");
	await p.isTitled("2-step verification is required");
	await p.press("Enable Authenticator app");
	p.key = await p.setupKey();
	await p.confirm();
	p.isAt("/settings/user/profile");
	await p.go(security);
	await p.sees("2-step verification is on");

	// An administrator resets it: the next sign-in leads there again.
	command(["require", "remove", "--reason", "enough"]);
	command(["account", "reset", p.email, "--reason", "Lost phone, checked by video call"]);
	await p.go(security);
	await p.isTitled("Sign in");
	await p.giveIn();
	await p.isTitled("2-step verification is required");
	await p.press("Enable Authenticator app");
	p.key = await p.setupKey();
	await p.confirm();
	p.isAt(security);
	await p.sees("2-step verification reset by an administrator");
});
