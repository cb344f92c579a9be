// Command twinlatch is two-step verification as a server.
//
//	twinlatch serve --dev           try it on this machine; needs no configuration
//	twinlatch key create            once, before the first start
//	twinlatch key rotate            a new key seals from the next start on
//	twinlatch key list
//	twinlatch key retire KEY        seal again what an old key sealed, and remove it
//	twinlatch serve --config FILE   run it
//	twinlatch events list --account LOGIN
//	twinlatch events tail           what happens to all accounts
//	twinlatch events export         all of it, as JSON Lines
//	twinlatch events verify         did anybody change it?
//	twinlatch account create --email ADDRESS, with --admin the first administrator's
//	twinlatch account list, show LOGIN
//	twinlatch account reset LOGIN   of somebody who lost all methods and codes
//	twinlatch account end|disable|enable|delete|groups LOGIN
//	twinlatch require show|set|remove
//	twinlatch rules explain --url URL  which rule decides, and what would be asked
//	twinlatch yubikey import FILE   keys of YubiKeys whose codes are judged here
//	twinlatch yubikey list
//	twinlatch yubikey remove IDENTITY
//	twinlatch send-test --to WHOM   one message, to try the settings of mail and text
//	twinlatch config show           every setting and where it came from
//	twinlatch config check
//	twinlatch doctor                what is wrong around the server?
//	twinlatch healthcheck           is it up? for containers
//	twinlatch version
//	twinlatch help [COMMAND]
//
// What is printed for programs goes to stdout, everything else to stderr. An
// error is one line that says what to do. The exit code is 0 when all is well, 1
// when something failed, and 2 when the command line makes no sense.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/twinlatch/twinlatch/config"
)

const (
	exitOK = iota
	exitFailure
	exitUsage
)

// cli is the command line, one field for each command.
type cli struct {
	Serve serveCommand `cmd:"" help:"Run the server."`
	Key   struct {
		Create keyCreateCommand `cmd:"" help:"Make a new key file."`
		Rotate keyRotateCommand `cmd:"" help:"Add a key that seals from the next start on."`
		List   keyListCommand   `cmd:"" help:"Say which there are, how old they are and how much lies under each."`
		Retire keyRetireCommand `cmd:"" help:"Seal again what lies under an old key, and remove it."`
	} `cmd:"" help:"The keys that seal secrets in the database."`
	Events struct {
		List   eventsListCommand   `cmd:"" help:"Say what happened to an account, the newest first."`
		Tail   eventsTailCommand   `cmd:"" help:"Follow what happens to all accounts."`
		Export eventsExportCommand `cmd:"" help:"Print the events of all accounts as JSON Lines."`
		Verify eventsVerifyCommand `cmd:"" help:"Find out whether anybody changed the trail."`
	} `cmd:"" help:"The audit trail."`
	Account struct {
		Create  accountCreateCommand  `cmd:"" help:"Make an account, for instance the first administrator's."`
		List    accountListCommand    `cmd:"" help:"List and count accounts."`
		Show    accountShowCommand    `cmd:"" help:"Say what is known about one."`
		Reset   accountResetCommand   `cmd:"" help:"Remove all methods and backup codes of somebody who lost them."`
		End     accountEndCommand     `cmd:"" help:"End all sessions."`
		Disable accountDisableCommand `cmd:"" help:"End all sessions, and let nobody sign in."`
		Enable  accountEnableCommand  `cmd:"" help:"Let them sign in again."`
		Delete  accountDeleteCommand  `cmd:"" help:"Erase what is known about a person."`
		Groups  accountGroupsCommand  `cmd:"" help:"Say in which groups somebody is; admin makes an administrator."`
	} `cmd:"" help:"The accounts of people, by the right of who can run commands here."`
	Require struct {
		Show   requireShowCommand   `cmd:"" help:"Say of whom, and since when."`
		Set    requireSetCommand    `cmd:"" help:"Require it of everybody or of a group."`
		Remove requireRemoveCommand `cmd:"" help:"Take that back."`
	} `cmd:"" help:"Of whom 2-step verification is required."`
	Rules struct {
		Explain rulesExplainCommand `cmd:"" help:"Say which rule decides about an address, and what it asks of whom."`
	} `cmd:"" help:"The rules for protected apps (forward_auth.rules)."`
	Yubikey struct {
		Import yubikeyImportCommand `cmd:"" help:"Add the YubiKeys of a file."`
		List   yubikeyListCommand   `cmd:"" help:"Say which there are."`
		Remove yubikeyRemoveCommand `cmd:"" help:"Forget one: its codes are wrong from then on."`
	} `cmd:"" name:"yubikey" help:"The YubiKeys whose one-time passwords are judged here (yubico.validate = own)."`
	SendTest sendTestCommand `cmd:"" help:"Send one message, to see whether mail or text settings work."`
	Settings struct {
		Show  configShowCommand  `cmd:"" help:"Print every setting, its value and where that came from."`
		Check configCheckCommand `cmd:"" help:"Say what is wrong with them."`
	} `cmd:"" name:"config" help:"The settings."`
	Doctor      doctorCommand      `cmd:"" help:"Look at everything around the server and say what is wrong."`
	Healthcheck healthcheckCommand `cmd:"" help:"Ask the server on this machine whether it is up."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
	Hash        hashCommand        `cmd:"" hidden:"" help:"Started by serve, to hash passwords."`

	ShowVersion versionFlag `name:"version" help:"Print the version."`
}

// terminal is what a command may read and write.
type terminal struct {
	in       io.Reader
	out, err io.Writer
	env      []string
}

func main() {
	os.Exit(run(os.Args[1:], terminal{os.Stdin, os.Stdout, os.Stderr, os.Environ()}))
}

// run does what args say and gives the exit code.
func run(args []string, t terminal) int {
	helped := errors.New("help was printed")
	if len(args) > 0 && args[0] == "help" {
		args = append(args[1:], "--help")
	}
	parser, err := kong.New(new(cli),
		kong.Name("twinlatch"),
		kong.Description("Two-step verification for your users and your applications."),
		kong.Writers(t.out, t.err),
		kong.Exit(func(int) { panic(helped) }), // after --help
		kong.Bind(t),
		help(),
	)
	if err != nil {
		return t.fail(exitFailure, err)
	}
	defer func() {
		if p := recover(); p != nil && p != any(helped) {
			panic(p)
		}
	}()
	command, err := parser.Parse(args)
	if err != nil {
		return t.fail(exitUsage, fmt.Errorf("%w; see twinlatch --help", err))
	}
	if err := command.Run(); err != nil {
		return t.fail(exitFailure, err)
	}
	return exitOK
}

// fail tells err on one line, whatever is in it.
func (t terminal) fail(code int, err error) int {
	fmt.Fprintln(t.err, "twinlatch:", oneLine(err))
	return code
}

func oneLine(err error) string {
	return strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "twinlatch: ")), " ")
}

// help has a line for each setting, from the one table of settings.
func help() kong.Vars {
	lines := kong.Vars{}
	for _, s := range config.Settings() {
		lines[s.Key] = s.Help
		if s.Default != "" {
			lines[s.Key] = fmt.Sprintf("%s (%s)", s.Help, s.Default)
		}
	}
	return lines
}

// given picks the settings that flags gave.
func given(flags map[string]*string) map[string]string {
	values := map[string]string{}
	for key, value := range flags {
		if value != nil {
			values[key] = *value
		}
	}
	return values
}
