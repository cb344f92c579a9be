package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch/config"
	"github.com/twinlatch/twinlatch/keyring"
	"github.com/twinlatch/twinlatch/method/webauthn"
	"github.com/twinlatch/twinlatch/sqlstore"
)

type doctorCommand struct {
	serverFlags
	JSON bool `name:"json" help:"Print JSON."`
}

// Help is shown by --help, below the flags.
func (doctorCommand) Help() string {
	return "Give the flags that 'twinlatch serve' gets, as the same user, with the same environment. It changes nothing and asks nobody but the database and the server, at its public address. " +
		"Each line is ok, warn or fail and says what to do; one that fails makes exit code 1."
}

type verdict string

const (
	good verdict = "ok"
	warn verdict = "warn"
	fail verdict = "fail"
)

// finding is one line of doctor.
type finding struct {
	Check   string  `json:"check"`
	Verdict verdict `json:"verdict"`
	Text    string  `json:"text"`
	Do      string  `json:"do,omitempty"` // what to do about it
}

// doctor goes from one check to the next.
type doctor struct {
	cfg  *config.Config
	now  time.Time
	all  []finding
	tell func(finding)
}

func (d *doctor) find(check string, v verdict, do, text string, args ...any) {
	f := finding{check, v, fmt.Sprintf(text, args...), do}
	d.all = append(d.all, f)
	d.tell(f)
}

// Run looks at one thing after the other.
func (c *doctorCommand) Run(t terminal) error {
	d := &doctor{now: time.Now(), tell: func(f finding) {
		if c.JSON {
			return
		}
		if f.Do != "" {
			f.Text += "; " + f.Do
		}
		fmt.Fprintf(t.out, "%-4s  %-13s %s\n", f.Verdict, f.Check, strings.Join(strings.Fields(f.Text), " "))
	}}
	d.look(context.Background(), c.source(t))
	if c.JSON {
		if err := printJSON(t.out, d.all); err != nil {
			return err
		}
	}
	failed := 0
	for _, f := range d.all {
		if f.Verdict == fail {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("checks that failed: %d", failed)
	}
	return nil
}

func (d *doctor) look(ctx context.Context, src config.Source) {
	problems := settingsProblems(src)
	for _, err := range problems {
		d.find("settings", fail, "", "%s", oneLine(err))
	}
	cfg, err := config.Load(src)
	if err != nil { // it is among the problems
		return
	}
	if d.cfg = cfg; len(problems) == 0 {
		d.find("settings", good, "", "there is nothing wrong with them by themselves")
	}
	keys := d.keys()
	d.database(ctx, keys)
	d.server(ctx)
	d.methods()
}

// keys looks at the key file; nil: it cannot be used.
func (d *doctor) keys() *keyring.Ring {
	path := d.cfg.Keys
	ring, err := keyring.Load(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && d.cfg.Dev:
		d.find("keys", good, "", "%s is made by the first start", path)
		return nil
	case errors.Is(err, fs.ErrNotExist):
		d.find("keys", fail, "for a new database run: twinlatch key create --keys "+path+"; else put the file back from a copy", "there is no key file %s", path)
		return nil
	case err != nil:
		d.find("keys", fail, "", "%s", strings.TrimPrefix(err.Error(), "keyring: "))
		return nil
	}
	if uid, other, ok := d.owners(path); ok && uid != other {
		d.find("keys", warn, fmt.Sprintf("run doctor and the server as the user whose it is, or: chown %d %s", other, path),
			"%s belongs to user %d, and the server's user seems to be %d", path, uid, other)
		return ring
	}
	seals := ring.Keys()[len(ring.Keys())-1]
	d.find("keys", good, "", "%s can be read by its owner only; key %s of %s seals", path, seals.ID, seals.Made.Format(time.DateOnly))
	return ring
}

// owners are the user of the key file and the one who should be: that of the
// database, or ours where that does not tell.
func (d *doctor) owners(path string) (have, want int, known bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, false
	}
	have, known = ownerOf(info)
	want = os.Geteuid()
	if file, ok := strings.CutPrefix(d.cfg.Database.Reveal(), "sqlite:"); ok {
		if info, err := os.Stat(file); err == nil {
			want, _ = ownerOf(info)
		}
	} else if want == 0 { // root may be anybody's operator
		want = have
	}
	return have, want, known
}

// clockSlack is how far apart the clocks of servers and of doctor may be.
const clockSlack = time.Minute

func (d *doctor) database(ctx context.Context, keys *keyring.Ring) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	e, err := sqlstore.Examine(ctx, d.cfg.Database.Reveal(), d.now)
	if errors.Is(err, fs.ErrNotExist) {
		d.find("database", warn, "the first start makes it; if there should be one, see setting database", "there is no database yet")
		return
	}
	if err != nil {
		d.find("database", fail, "see setting database", "%s", strings.TrimPrefix(err.Error(), "sqlstore: "))
		return
	}
	switch {
	case e.Schema > e.Newest:
		d.find("database", fail, "run the newer program", "%s has schema %d, and this program knows %d", e.Software, e.Schema, e.Newest)
	case e.Schema < e.Newest:
		d.find("database", warn, "the next start brings it up to date", "%s has schema %d of %d", e.Software, e.Schema, e.Newest)
	default:
		d.find("database", good, "", "%s answers, is durable and has schema %d", e.Software, e.Schema)
	}
	if keys != nil {
		if err := e.Fits(keys.Checks()); err != nil {
			d.find("keys", fail, "put back the key file that belongs to it", "%s does not belong to this database: %s", d.cfg.Keys, err)
		} else if len(e.Checks) > 0 {
			d.find("keys", good, "", "%s belongs to this database", d.cfg.Keys)
		}
	}
	d.clock(e.NewestEvent)
	if e.Schema == e.Newest {
		d.backlog(e.Backlog)
		d.administrators(e.Administrators)
	}
}

// clock compares with the last thing that any server wrote. Nobody else is asked
// for the time.
func (d *doctor) clock(newest time.Time) {
	ahead := newest.Sub(d.now).Round(time.Second)
	switch {
	case newest.IsZero():
		d.find("clock", good, "", "there is no event to compare it with")
	case ahead > clockSlack && d.cfg.Dev:
		d.find("clock", warn, "", "the newest event is %v ahead: in development mode the clock can be moved", ahead)
	case ahead > clockSlack:
		d.find("clock", fail, "set the clock by NTP", "the newest event is %v ahead of this machine's clock", ahead)
	default:
		d.find("clock", good, "", "the newest event is %v old", max(0, -ahead))
	}
}

// methods says which ways of the second step people get.
func (d *doctor) methods() {
	cfg := d.cfg
	switch address := keyAddress(cfg); {
	case cfg.WebAuthn.ID != "" || len(cfg.WebAuthn.Origins) > 0 || webauthn.Usable(address):
		d.find("security keys", good, "", "browsers know them at %s", address)
	default:
		d.find("security keys", warn, "use https:// with a domain name", "they are not offered: browsers know none at %s", address)
	}
	switch real := slices.DeleteFunc(slices.Clone(cfg.Text.Senders), func(name string) bool { return name == "outbox" }); {
	case len(real) > 0:
		d.find("text messages", good, "", "sent by %s", strings.Join(real, ", then "))
	case cfg.Dev:
		d.find("text messages", good, "", "shown at %s/dev", cfg.Address)
	default:
		d.find("text messages", good, "", "not offered: no sender is set (text.senders)")
	}
	switch {
	case cfg.Mail.Host != "":
		d.find("e-mails", good, "", "sent by %s", cfg.Mail.Host)
	case cfg.Dev:
		d.find("e-mails", good, "", "shown at %s/dev", cfg.Address)
	default:
		d.find("e-mails", good, "", "not sent: no mail server is set (mail.host)")
	}
	switch cfg.Yubico.Validate {
	case "server":
		d.find("yubico", good, "", "one-time passwords are judged by %s, which were not asked", strings.Join(cfg.Yubico.Servers, ", "))
	case "own":
		d.find("yubico", good, "", "one-time passwords of imported YubiKeys are judged here")
	default:
		d.find("yubico", good, "", "one-time passwords are not offered")
	}
}
