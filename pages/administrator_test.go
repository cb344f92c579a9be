package pages

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

const adaEmail = "ada@example.com"

// operator is somebody who can run commands on the server.
func operator() twinlatch.Administrator { return twinlatch.ByOperator("command:root", "for a test") }

// made is an account that an operator made.
func (d *door) made(t testing.TB, email, name string, groups ...string) twinlatch.Account {
	t.Helper()
	a, err := d.env.NewAccountBy(t.Context(), operator(), twinlatch.NewAccount{
		Login: email, DisplayName: name, Password: twinlatch.NewSecret(anaPassword), Groups: groups, Confirmed: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// called is somebody whose account an operator made, signed in.
func (d *door) called(t testing.TB, email, name string, groups ...string) *person {
	t.Helper()
	d.made(t, email, name, groups...)
	p := &person{browser: d.browser(t), email: email, password: anaPassword}
	p.signIn().goes(security)
	return p
}

// ada is an administrator who has just enrolled an app.
func (d *door) ada(t testing.TB) *person {
	t.Helper()
	p := d.called(t, adaEmail, "Ada", twinlatch.AdminGroup)
	p.app = p.enroll()
	return p
}

// member puts an account into groups.
func (d *door) member(t testing.TB, id twinlatch.AccountID, groups ...string) {
	t.Helper()
	if err := d.env.SetGroups(t.Context(), operator(), id, groups, twinlatch.Client{}); err != nil {
		t.Fatal(err)
	}
}

// raw is the database of a door behind its back.
func raw(t testing.TB, database string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", strings.TrimPrefix(database, "sqlite:")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// administrators is the matrix of what administrators get, in the words of matrix,
// which has what everybody else gets.
//
//	fresh  with a fresh proof      code  came in by a backup code
//	stale  it is 10 minutes old    off   2-step verification is off
//	left   is none any more
//
//	did    303 to what was done    acct  303 to the account    log  303 to the log
const administrators = `
                                    back  | fresh stale code  off   left
GET  /admin                         self  | 200   200   403   403   403
GET  /admin/accounts/A              self  | 200   200   403   403   403
GET  /admin/accounts/A/reset        self  | 200   ver   403   403   403
POST /admin/accounts/A/reset        offer | did   ver   403   403   403
GET  /admin/accounts/A/end          self  | 200   ver   403   403   403
POST /admin/accounts/A/end          offer | did   ver   403   403   403
GET  /admin/accounts/A/groups       self  | 200   ver   403   403   403
POST /admin/accounts/A/groups       offer | did   ver   403   403   403
GET  /admin/accounts/A/enable       self  | acct  ver   403   403   403
POST /admin/accounts/A/enable       offer | did   ver   403   403   403
GET  /admin/accounts/A/disable      self  | 200   ver   403   403   403
POST /admin/accounts/A/disable      offer | did   ver   403   403   403
GET  /admin/accounts/A/delete       self  | 200   ver   403   403   403
POST /admin/accounts/A/delete       offer | did   ver   403   403   403
GET  /admin/require                 self  | 200   ver   403   403   403
POST /admin/require                 offer | did   ver   403   403   403
GET  /admin/require/-/remove        self  | 200   ver   403   403   403
POST /admin/require/-/remove        offer | did   ver   403   403   403
GET  /admin/events                  self  | 200   200   403   403   403
GET  /admin/events/export           self  | 200   200   403   403   403
GET  /admin/events/verify           self  | log   log   403   403   403
POST /admin/events/verify           offer | 200   200   403   403   403
`

func TestEveryRouteForEveryAdministrator(t *testing.T) {
	t.Parallel()
	states, rows := parseMatrix(administrators)
	database := twinlatchtest.Migrated(t)
	net, box := new(carrier), new(letterbox)
	d := doorOn(t, database, func(c *twinlatch.Config) {
		c.Methods = textMethods(t)
		c.Sending = twinlatch.Sending{Senders: []twinlatch.Sender{net}, NetworkPerHour: 10000}
		box.has(c)
	}, development)
	d.box = box
	for _, r := range d.adminRoutes() {
		path := strings.NewReplacer("{account}", "A", "{group}", everyone).Replace(r.path)
		found := false
		for _, of := range rows {
			found = found || of.method == r.method && of.path == path
		}
		if !found {
			t.Errorf("%s %s has no row: which administrator may do that?", r.method, r.path)
		}
	}
	behind := raw(t, database)
	asPerson := map[string]string{"fresh": "full", "stale": "idle", "code": "code", "off": "off", "left": "full"}
	askAll(t, states, rows, func(t *testing.T, state, email string) *situation {
		err := d.env.Require(t.Context(), operator(), twinlatch.Requirement{From: d.env.Clock.Now().Add(1000 * 24 * time.Hour)}, twinlatch.Client{})
		if err != nil {
			t.Fatal(err)
		}
		other := d.person(t, "other."+email)
		other.app = other.enroll()
		s := newSituation(t, d, net, email, behind)
		s.other = d.account(t, other.email).ID
		s.become(asPerson[state])
		d.member(t, s.account.ID, twinlatch.AdminGroup)
		if state == "left" {
			s.get(adminPath).is(200)
			d.member(t, s.account.ID)
		}
		return s
	})
}
