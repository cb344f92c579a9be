package pages

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/config"
	"github.com/twinlatch/twinlatch/method/totp"
	"github.com/twinlatch/twinlatch/twinlatchtest"
	_ "modernc.org/sqlite" // to disable an account, which has no page yet
)

// matrix says what each route answers to each kind of browser. All requests are
// well-formed, and carry the return_to of wanted.
//
// Who asks. Not signed in:
//
//	none   no cookie            twice  two cookies of our name, one of them right
//	junk   a malformed cookie   ended  the session was ended on another device
//	gone   the account was disabled
//
// Signed in with 2-step verification on, second step missing:
//
//	first  never done           aged   done 30 days ago
//	moved  done at another IP   lost   done, but now the IP is unknown
//
// Signed in, nothing missing:
//
//	code   by a backup code     full   with a fresh proof
//	idle   the proof is 10 minutes old
//	off    2-step verification is off, fresh password
//	off10  the same, the password is 10 minutes old
//
// The answer, and where return_to leads then (back):
//
//	in     303 /sign-in         self   the page itself
//	ver    303 /verify          offer  the page that offers the change
//	conf   303 /confirm         want   where the request wanted to go
//	want   303 there at once    -      no return_to
//	sec    303 Security            prof   303 Profile
//	app    303 to the enrollment that began
//	act    303 all activity
//
// S is Security, C an enrollment that this session began, F a factor of the
// account, O another session of it and A another account. What administrators get
// is in administrators. P is Profile. T is the link to a new address of the
// account, which is good for a day, and for nothing else. Where a hand-over leads to an
// app is in handOvers; here it wants to go where no app is.
const matrix = `
                            back  | none junk twice ended gone | first aged moved lost | code full idle off  off10
GET  /                      -     | in   in   in    in    in   | ver   ver  ver   ver  | sec  sec  sec  sec  sec
GET  /help                  -     | 200  200  200   200   200  | 200   200  200   200  | 200  200  200  200  200
GET  /static/*/app.css      -     | 200  200  200   200   200  | 200   200  200   200  | 200  200  200  200  200
GET  /sign-up               -     | 200  200  200   200   200  | 200   200  200   200  | 200  200  200  200  200
POST /sign-up               want  | in   in   in    in    in   | in    in   in    in   | in   in   in   in   in
GET  /sign-in               -     | 200  200  200   200   200  | 200   200  200   200  | want want want want want
POST /sign-in               -     | 422  422  422   422   422  | 422   422  422   422  | 422  422  422  422  422
POST /sign-out              -     | 200  200  200   200   200  | 200   200  200   200  | 200  200  200  200  200
POST /language              want  | want want want  want  want | want  want want  want | want want want want want

GET  /verify                want  | in   in   in    in    in   | 200   200  200   200  | 200  want 200  want want
POST /verify                want  | in   in   in    in    in   | 422   422  422   403  | 422  422  422  want want
POST /verify/ask            want  | in   in   in    in    in   | ver   ver  ver   ver  | ver  ver  ver  want want
GET  /verify/ways           want  | in   in   in    in    in   | 200   200  200   200  | 200  200  200  want want
GET  /verify/pick/text      want  | in   in   in    in    in   | 200   200  200   200  | 200  200  200  404  404
GET  /recover               want  | in   in   in    in    in   | 200   200  200   200  | 200  200  200  want want
POST /recover               want  | in   in   in    in    in   | 422   422  422   403  | 422  422  422  want want

GET  /forgot                -     | 200  200  200   200   200  | 200   200  200   200  | 200  200  200  200  200
POST /forgot                -     | 200  200  200   200   200  | 200   200  200   200  | 200  200  200  200  200
GET  /reset/T               -     | 410  410  410   410   410  | 410   410  410   410  | 410  410  410  410  410
POST /reset/T               -     | 410  410  410   410   410  | 410   410  410   410  | 410  410  410  410  410
GET  /not-me/T              -     | 410  410  410   410   410  | 410   410  410   410  | 410  410  410  410  410
POST /not-me/T              -     | 410  410  410   410   410  | 410   410  410   410  | 410  410  410  410  410
GET  /email/T               -     | 200  200  200   200   410  | 200   410  200   200  | 200  200  200  200  200
POST /email/T               offer | in   in   in    in    410  | ver   410  ver   ver  | 200  200  200  200  200
POST /email/again           sec   | in   in   in    in    in   | ver   ver  ver   ver  | sec  sec  sec  sec  sec

GET  /auth/handover         -     | 404  404  404   404   404  | 404   404  404   404  | 404  404  404  404  404
GET  /required              self  | in   in   in    in    in   | ver   ver  ver   ver  | want want want want want
GET  P                      self  | in   in   in    in    in   | ver   ver  ver   ver  | 200  200  200  200  200
POST P                      offer | in   in   in    in    in   | ver   ver  ver   ver  | prof prof prof prof prof
GET  P/address              self  | in   in   in    in    in   | ver   ver  ver   ver  | 403  200  ver  200  conf
POST P/address              offer | in   in   in    in    in   | ver   ver  ver   ver  | 403  200  ver  200  conf
GET  /confirm               want  | in   in   in    in    in   | ver   ver  ver   ver  | ver  ver  ver  200  200
POST /confirm               want  | in   in   in    in    in   | ver   ver  ver   ver  | ver  ver  ver  want want
GET  S                      self  | in   in   in    in    in   | ver   ver  ver   ver  | 200  200  200  200  200
GET  S/lost                 self  | in   in   in    in    in   | ver   ver  ver   ver  | 200  200  200  sec  sec
GET  S/add/totp             self  | in   in   in    in    in   | ver   ver  ver   ver  | 200  200  200  200  200
GET  S/add/text             self  | in   in   in    in    in   | ver   ver  ver   ver  | 200  200  200  200  200
POST S/add/totp             self  | in   in   in    in    in   | ver   ver  ver   ver  | app  app  ver  app  conf
POST S/add/text             self  | in   in   in    in    in   | ver   ver  ver   ver  | app  app  ver  app  conf
GET  S/confirm/C            self  | in   in   in    in    in   | ver   ver  ver   ver  | 200  200  200  200  200
POST S/confirm/C            self  | in   in   in    in    in   | ver   ver  ver   ver  | 422  422  ver  422  conf
GET  S/factors/F/remove     self  | in   in   in    in    in   | ver   ver  ver   ver  | 200  200  200  404  404
POST S/factors/F/remove     self  | in   in   in    in    in   | ver   ver  ver   ver  | 403  want ver  404  conf
POST S/factors/F/rename     sec   | in   in   in    in    in   | ver   ver  ver   ver  | sec  sec  sec  404  404
POST S/factors/F/prefer     sec   | in   in   in    in    in   | ver   ver  ver   ver  | 403  sec  ver  404  conf
GET  S/password             self  | in   in   in    in    in   | ver   ver  ver   ver  | 403  200  ver  200  conf
POST S/password             offer | in   in   in    in    in   | ver   ver  ver   ver  | 403  422  ver  422  conf
GET  S/activity             self  | in   in   in    in    in   | ver   ver  ver   ver  | 200  200  200  200  200
GET  S/activity/download    act   | in   in   in    in    in   | ver   ver  ver   ver  | 200  200  200  200  200
GET  S/turn-off             self  | in   in   in    in    in   | ver   ver  ver   ver  | 200  200  200  sec  sec
POST S/turn-off             offer | in   in   in    in    in   | ver   ver  ver   ver  | 403  sec  ver  sec  conf
GET  S/backup-codes         self  | in   in   in    in    in   | ver   ver  ver   ver  | sec  sec  sec  sec  sec
POST S/backup-codes         sec   | in   in   in    in    in   | ver   ver  ver   ver  | 403  200  ver  409  conf
POST S/sessions/O/end       sec   | in   in   in    in    in   | ver   ver  ver   ver  | sec  sec  sec  sec  sec
POST S/sessions/end-others  sec   | in   in   in    in    in   | ver   ver  ver   ver  | sec  sec  sec  sec  sec

GET  /admin                 self  | in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403
GET  /admin/accounts/A      self  | in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403
GET  /admin/accounts/A/reset self  | in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403
POST /admin/accounts/A/reset offer | in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403
GET  /admin/accounts/A/end  self  | in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403
POST /admin/accounts/A/end  offer | in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403
GET  /admin/accounts/A/groups self  | in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403
POST /admin/accounts/A/groups offer | in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403
GET  /admin/accounts/A/disable self  | in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403
POST /admin/accounts/A/disable offer | in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403
GET  /admin/accounts/A/enable self  | in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403
POST /admin/accounts/A/enable offer | in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403
GET  /admin/accounts/A/delete self  | in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403
POST /admin/accounts/A/delete offer | in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403
GET  /admin/require         self  | in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403
POST /admin/require         offer | in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403
GET  /admin/require/-/remove self  | in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403
POST /admin/require/-/remove offer | in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403
GET  /admin/events          self  | in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403
GET  /admin/events/export   self  | in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403
GET  /admin/events/verify   self  | in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403
POST /admin/events/verify   offer | in   in   in    in    in   | ver   ver  ver   ver  | 403  403  403  403  403

GET  /dev/outbox            -     | 200  200  200   200   200  | 200   200  200   200  | 200  200  200  200  200
GET  /dev/clock             -     | 200  200  200   200   200  | 200   200  200   200  | 200  200  200  200  200
POST /dev/clock             -     | 200  200  200   200   200  | 200   200  200   200  | 200  200  200  200  200
`

// wanted is where the requests of the matrix want to go in the end.
const wanted = security + "?from=matrix"

// row is a line of the matrix.
type row struct {
	method, path, back string
	cells              map[string]string
}

func readMatrix() (states []string, rows []row) { return parseMatrix(matrix) }

func parseMatrix(text string) (states []string, rows []row) {
	for line := range strings.Lines(text) {
		words := strings.Fields(strings.ReplaceAll(line, "|", ""))
		switch {
		case len(words) == 0:
		case words[0] == "back":
			states = words[1:]
		default:
			r := row{words[0], words[1], words[2], map[string]string{}}
			for i, cell := range words[3:] {
				r.cells[states[i]] = cell
			}
			rows = append(rows, r)
		}
	}
	return states, rows
}

// matrixDoor has all that browsers of the matrix need: text messages, mails, apps, and a
// way into the database.
func matrixDoor(t *testing.T) (*door, *carrier, *sql.DB) {
	t.Helper()
	database := twinlatchtest.Migrated(t)
	net, box := new(carrier), new(letterbox)
	d := doorOn(t, database, func(c *twinlatch.Config) {
		c.Methods = textMethods(t)
		c.Sending = twinlatch.Sending{Senders: []twinlatch.Sender{net}, NetworkPerHour: 10000}
		box.has(c)
	}, development, withApps)
	d.box = box
	raw, err := sql.Open("sqlite", strings.TrimPrefix(database, "sqlite:")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	return d, net, raw
}

func TestEveryRouteForEveryBrowser(t *testing.T) {
	t.Parallel()
	states, rows := readMatrix()
	d, net, raw := matrixDoor(t)

	known, missing := map[string]bool{}, map[string]bool{}
	for _, r := range d.routes() {
		known[r.method+" "+r.path], missing[r.method+" "+r.path] = true, true
	}
	for _, r := range rows {
		if len(r.cells) != len(states) {
			t.Fatalf("%s %s: %d cells for %d states", r.method, r.path, len(r.cells), len(states))
		}
		_, pattern := d.mux.Handler(&http.Request{Method: r.method, URL: &url.URL{Path: strings.NewReplacer("S", security, "P", profilePath).Replace(r.path)}})
		if !known[pattern] {
			t.Errorf("%s %s: no route of its own, but %q", r.method, r.path, pattern)
		}
		delete(missing, pattern)
	}
	for _, pattern := range slices.Sorted(maps.Keys(missing)) {
		t.Errorf("%s has no row in the matrix: who may do that?", pattern)
	}
	askAll(t, states, rows, func(t *testing.T, state, email string) *situation {
		s := newSituation(t, d, net, email, raw)
		s.become(state)
		return s
	})
}

// askAll sends every request of the rows in every state.
func askAll(t *testing.T, states []string, rows []row, begin func(t *testing.T, state, email string) *situation) {
	t.Helper()
	for _, state := range states {
		t.Run(state, func(t *testing.T) {
			var s *situation
			for i, r := range rows {
				t.Run(r.method+" "+r.path, func(t *testing.T) {
					if s == nil {
						s = begin(t, state, fmt.Sprintf("%d.%s@example.com", i, state))
					}
					s.t = t
					s.check(r, r.cells[state])
					if r.changes(state) {
						s = nil
					}
				})
			}
		})
	}
}

// changes says whether the request may have changed what the next row needs. One
// that was refused has not, and so the next row shows as well that the session is
// still what it was.
func (r row) changes(state string) bool {
	refused := slices.Contains([]string{"in", "ver", "conf", "403", "404", "409", "410", "422"}, r.cells[state])
	return r.method == "POST" && !refused
}

// development is the configuration of development mode.
func development(c *Config) {
	app := func(uri string, at time.Time) (string, string, error) {
		issuer, account, secret, err := totp.ParseURI(uri)
		return issuer + ": " + account, totp.Code(secret, at), err
	}
	c.Address, _ = url.Parse("http://localhost:8080")
	c.Dev = &Dev{Clock: &movedClock{start: c.Service.Now(), service: c.Service}, Code: app, Duration: config.ParseDuration}
}

// movedClock shows the service's time.
type movedClock struct {
	service *twinlatch.Service
	start   time.Time
	by      time.Duration
	move    func(time.Duration) // the service's clock; nil: only the offset is kept
}

func (c *movedClock) Now() time.Time        { return c.service.Now() }
func (c *movedClock) Offset() time.Duration { return c.by }
func (c *movedClock) Advance(d time.Duration) error {
	if d <= 0 {
		return errors.New("the clock only goes forward")
	}
	c.by += d
	if c.move != nil {
		c.move(d)
	}
	return nil
}

// situation is one browser of the matrix, and what it has to do with.
type situation struct {
	*person
	net       *carrier
	raw       *sql.DB
	account   twinlatch.Account
	challenge twinlatch.ChallengeID // an open enrollment of this session
	factor    twinlatch.FactorID
	other     twinlatch.AccountID // somebody else's
	link      string              // the token of a link to a new address
}

func newSituation(t *testing.T, d *door, net *carrier, email string, raw *sql.DB) *situation {
	s := &situation{person: d.person(t, email), net: net, raw: raw}
	var err error
	if s.account, err = d.env.FindAccount(t.Context(), twinlatch.MainRealm, email); err != nil {
		t.Fatal(err)
	}
	s.post(addressPath, "email", "moved."+email).is(200)
	s.link = d.box.newestTo(t, d, "moved."+email, twinlatch.EventAddressAsked)
	return s
}

// become brings the browser into a state.
func (s *situation) become(state string) {
	if strings.HasPrefix(state, "off") {
		s.begun(state == "off10")
		return
	}
	s.app = s.enroll()
	s.factor = s.factors()[0]
	s.wait(time.Second)
	s.addNumber(s.net, s.number())
	switch state {
	case "none":
		s.browser = s.elsewhere().browser
	case "junk":
		s.header.Set("Cookie", s.door.cookie.Name()+"="+strings.ToUpper(s.token()))
	case "twice":
		s.header.Set("Cookie", s.door.cookie.Name()+"="+s.token()+"; "+s.door.cookie.Name()+"="+s.token())
	case "ended":
		at := s.elsewhere()
		at.signIn()
		at.verify().goes(security)
		at.post(security + "/sessions/end-others").goes(security)
	case "gone":
		if _, err := s.raw.ExecContext(s.t.Context(), `UPDATE accounts SET disabled_at = $1 WHERE id = $2`, s.now().UnixMilli(), string(s.account.ID)); err != nil {
			s.t.Fatal(err)
		}
	case "first":
		s.browser = s.elsewhere().browser
		s.signIn().goes("/verify")
	case "aged":
		s.begun(false)
		s.wait(30 * 24 * time.Hour)
	case "moved":
		s.begun(false)
		s.ip = cafe4
	case "lost":
		s.begun(false)
		s.nowhere()
	case "code":
		codes := s.backupCodes()
		s.browser = s.elsewhere().browser
		s.signIn().goes("/verify")
		s.post("/recover", "code", codes[0]).goes(security)
		s.begun(false)
	case "full", "idle":
		s.begun(state == "idle")
	default:
		s.t.Fatalf("nobody knows how to become %q", state)
	}
}

// number is one that nobody has got a message on.
func (s *situation) number() string { return fmt.Sprintf("+4477009%05d", len(s.net.got(""))) }

// begun starts an enrollment, at the last moment when the proof is to be out of
// date, so that it is still open then.
func (s *situation) begun(late bool) {
	if late {
		s.wait(s.door.env.Policy().FreshFor - time.Second)
	}
	s.challenge = twinlatch.ChallengeID(strings.TrimPrefix(s.post(security+"/add/totp").is(303).location, security+"/confirm/"))
	if late {
		s.wait(time.Second)
	}
}

func (s *situation) factors() (ids []twinlatch.FactorID) {
	factors, err := s.door.env.Factors(s.t.Context(), twinlatch.OnBehalf(s.account.ID, "test", ""))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range factors {
		ids = append(ids, f.ID)
	}
	return ids
}

// check sends the request of a row and compares the answer with a cell.
func (s *situation) check(r row, cell string) {
	path := strings.NewReplacer(
		"S", security, "P", profilePath, "*", s.door.files.files["app.css"].hash, "/T", "/"+s.link,
		"/C", "/"+cmp.Or(string(s.challenge), "aaaaaaaaaaaaaaaaaaaaaaaaaa"),
		"/F", "/"+cmp.Or(string(s.factor), "aaaaaaaaaaaaaaaaaaaaaaaaaa"),
		"/O", "/"+string(s.another()), "/A", "/"+cmp.Or(string(s.other), "aaaaaaaaaaaaaaaaaaaaaaaaaa"),
	).Replace(r.path)
	asked := path + "?return_to=" + url.QueryEscape(wanted)
	var p *page
	if r.method == "GET" {
		p = s.get(asked)
	} else {
		p = s.post(asked, s.fields(r.path)...)
	}
	to := map[string]string{"self": asked, "offer": path, "sec": security, "act": activityPath, "want": wanted, "-": ""}[r.back]
	if to != "" {
		to = "?return_to=" + url.QueryEscape(to)
	}
	switch cell {
	case "in":
		p.goes("/sign-in" + to)
	case "ver":
		p.goes("/verify" + to)
	case "conf":
		p.goes("/confirm" + to)
	case "want":
		p.goes(wanted)
	case "sec":
		p.goes(security)
	case "did":
		if p.is(303); !strings.HasPrefix(p.location, adminPath) || !strings.Contains(p.location, "?done") {
			s.t.Errorf("goes to %s", p.location)
		}
	case "acct":
		p.goes(accountPath + string(s.other))
	case "log":
		p.goes(trailPath)
	case "prof":
		p.goes(profilePath)
	case "app":
		if p.is(303); !strings.HasPrefix(p.location, security+"/confirm/") {
			s.t.Errorf("goes to %s", p.location)
		}
	default:
		if fmt.Sprint(p.status) != cell {
			s.t.Errorf("status %d, want %s: %s", p.status, cell, p.text("main"))
		}
	}
}

// another is the session of another browser of the account.
func (s *situation) another() twinlatch.SessionID {
	d, _, err := s.door.env.StartSession(s.t.Context(), s.account.ID, twinlatch.Client{})
	if err != nil { // the account is disabled
		return "aaaaaaaaaaaaaaaaaaaaaaaaaa"
	}
	known, _ := d.Known()
	return known.Session().ID
}

// fields are what a person would send there, with codes that are wrong.
func (s *situation) fields(path string) []string {
	if strings.HasPrefix(path, adminPath) {
		return []string{"reason", "matrix", "groups", "staff", "group", "", "from", "2030-01-01", "grace", "14"}
	}
	switch path {
	case "/sign-up":
		return []string{"name", "Bo", "email", "new." + s.email, "password", anaPassword}
	case "/sign-in":
		return []string{"email", s.email, "password", "not her password"}
	case "/confirm":
		return []string{"password", s.password}
	case "/verify", "S/confirm/C":
		return []string{"code", "xyzxyz"}
	case "/verify/ask":
		return []string{"factor", string(s.factor)}
	case "/recover":
		return []string{"code", "0000-0000-0000-0000"}
	case "/reset/T":
		return []string{"password", "five unrelated words are here"}
	case "/forgot":
		return []string{"email", s.email}
	case "P":
		return []string{"name", "Bo", "language", "en"}
	case "P/address":
		return []string{"email", "other." + s.email}
	case "S/add/text":
		return []string{"phone", s.number()}
	case "S/factors/F/rename":
		return []string{"name", "Phone"}
	case "/language":
		return []string{"language", "en"}
	case "/dev/clock":
		return []string{"advance", "1s"}
	}
	return nil
}
