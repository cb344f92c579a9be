// Command net-http-app is a plain net/http program with pages and passwords of
// its own that has Twinlatch do the second step. Run it and open the address:
//
//	go run ./examples/net-http-app
//
// Everything that Twinlatch is asked is in this file: a first step that the
// program does itself (signIn), a check in front of every page (protect), the
// answer to the second step (code), with a backup code too, a fresh proof before
// a change (again), setting up an authenticator app (setUp, confirm), backup codes
// (backupCodes), turning it all off (turnOff), and signing out.
//
// It has one method and no list of factors, sessions or events.
package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"flag"
	"html/template"
	"io/fs"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/keyring"
	"github.com/twinlatch/twinlatch/method/totp"
	"github.com/twinlatch/twinlatch/sqlstore"
	"github.com/twinlatch/twinlatch/web"
)

func main() {
	// Not localhost: a cookie there would be sent to a Twinlatch on another port too.
	listen := flag.String("listen", "127.0.0.1:8090", "address to listen on")
	dir := flag.String("data", "var/net-http-app", "folder for the database and the keys")
	flag.Parse()
	service, closeStore, err := open(context.Background(), *dir, time.Now)
	if err != nil {
		log.Fatal(err)
	}
	defer closeStore()
	go func() {
		for range time.Tick(5 * time.Minute) {
			if err := errors.Join(service.Sweep(context.Background()), service.Checkpoint(context.Background())); err != nil {
				log.Print(err)
			}
		}
	}()
	log.Printf("sign in as ana with the password %q at http://%s", passwords["ana"], *listen)
	server := http.Server{Addr: *listen, Handler: newApp(service), ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// open puts the library together: where things are kept, what seals them, and
// which methods there are.
func open(ctx context.Context, dir string, clock func() time.Time) (*twinlatch.Service, func() error, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	keyFile := filepath.Join(dir, "keys")
	if err := keyring.Create(keyFile, rand.Reader, time.Now()); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, nil, err
	}
	keys, err := keyring.Load(keyFile)
	if err != nil {
		return nil, nil, err
	}
	app, err := totp.New("Example app")
	if err != nil {
		return nil, nil, err
	}
	store, err := sqlstore.Open(ctx, "sqlite:"+filepath.Join(dir, "app.db"))
	if err != nil {
		return nil, nil, err
	}
	service, err := twinlatch.New(ctx, twinlatch.Config{
		Store: store, Keys: keys, Methods: []twinlatch.Method{app}, Clock: clock,
	})
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return service, store.Close, nil
}

// passwords stand for whatever the program already has. Keep yours hashed.
var passwords = map[string]string{"ana": "an example, not a secret"}

func isPassword(name, password string) bool {
	want, known := passwords[name]
	return subtle.ConstantTimeCompare([]byte(want), []byte(password)) == 1 && known
}

type app struct {
	twostep *twinlatch.Service
	cookie  web.Cookie
}

func newApp(service *twinlatch.Service) http.Handler {
	a := &app{service, web.Cookie{Secure: false, For: service.Policy().SessionFor}} // Secure: true once it is served over HTTPS
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sign-in", a.page("Sign in", `<form method=post><p><label>Name <input name=name></label> <label>Password <input name=password type=password></label> <button>Sign in</button></form>`))
	mux.HandleFunc("POST /sign-in", a.signIn)
	mux.HandleFunc("GET /code", a.page("Your code", `<form method=post><p><label>Code from your authenticator app <input name=code inputmode=numeric autocomplete=one-time-code></label> <button>Confirm</button></form>
<form method=post><p><label>Or a backup code <input name=backup autocomplete=off></label> <button>Use it</button></form>`))
	mux.HandleFunc("POST /code", a.code)
	mux.HandleFunc("POST /sign-out", a.signOut)
	mux.Handle("GET /again", a.protect(a.again))
	mux.Handle("POST /again", a.protect(a.confirmPassword))
	mux.Handle("GET /{$}", a.protect(a.home))
	mux.Handle("POST /set-up", a.protect(a.setUp))
	mux.Handle("POST /set-up/{challenge}", a.protect(a.confirm))
	mux.Handle("POST /backup-codes", a.protect(a.backupCodes))
	mux.Handle("POST /turn-off", a.protect(a.turnOff))
	return http.NewCrossOriginProtection().Handler(mux)
}

func (a *app) client(r *http.Request) twinlatch.Client {
	return twinlatch.Client{IP: web.ClientIP(r, nil), UserAgent: r.UserAgent()}
}

// signIn is the program's own first step; StartSession takes it from there.
func (a *app) signIn(w http.ResponseWriter, r *http.Request) {
	name := r.FormValue("name")
	if !isPassword(name, r.FormValue("password")) {
		http.Error(w, "wrong name or password", http.StatusUnprocessableEntity)
		return
	}
	account, err := a.twostep.FindAccount(r.Context(), "example", name)
	if errors.Is(err, twinlatch.ErrNotFound) {
		account, err = a.twostep.CreateAccount(r.Context(), twinlatch.NewAccount{Realm: "example", Login: name}, a.client(r))
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	_, token, err := a.twostep.StartSession(r.Context(), account.ID, a.client(r))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.cookie.Write(w, token)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// protect lets a request through to h when Twinlatch says that it may pass. A
// page gets a Passed: it cannot be written without this check.
func (a *app) protect(h func(http.ResponseWriter, *http.Request, twinlatch.Passed)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		decision, err := a.twostep.Check(r.Context(), a.cookie.Read(r), a.client(r))
		if err != nil {
			a.fail(w, r, err)
			return
		}
		if who, ok := decision.Passed(); ok {
			h(w, r, who)
			return
		}
		next := "/sign-in"
		if decision.Step == twinlatch.NeedSecondStep {
			next = "/code"
		}
		http.Redirect(w, r, next, http.StatusSeeOther)
	})
}

func (a *app) signOut(w http.ResponseWriter, r *http.Request) {
	if err := a.twostep.SignOut(r.Context(), a.cookie.Read(r), a.client(r)); err != nil {
		a.fail(w, r, err)
		return
	}
	a.cookie.Clear(w)
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}

// code answers the second step, with a code or a backup code. An authenticator
// app needs nothing sent, so Answer asks the question by itself.
func (a *app) code(w http.ResponseWriter, r *http.Request) {
	decision, err := a.twostep.Check(r.Context(), a.cookie.Read(r), a.client(r))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	who, ok := decision.Known()
	if !ok {
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
		return
	}
	var token twinlatch.Token
	if backup := r.FormValue("backup"); backup != "" {
		token, err = a.twostep.Recover(r.Context(), who, twinlatch.NewSecret(backup), a.client(r))
	} else {
		token, err = a.twostep.Answer(r.Context(), who, twinlatch.Answer{"code": r.FormValue("code")}, a.client(r))
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.cookie.Write(w, token)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// again gets the fresh proof that changes need: a code, or the password while
// two-step verification is off. The change itself is asked for again afterwards.
func (a *app) again(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) {
	if who.Account().TwoStep {
		http.Redirect(w, r, "/code", http.StatusSeeOther)
		return
	}
	render(w, "Confirm that it is you", `<form method=post><p><label>Password <input name=password type=password></label> <button>Confirm</button></form>`, nil)
}

func (a *app) confirmPassword(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) {
	if !isPassword(who.Account().Login, r.FormValue("password")) {
		http.Error(w, "wrong password", http.StatusUnprocessableEntity)
		return
	}
	token, err := a.twostep.ConfirmFirstStep(r.Context(), who.Enrolling(), a.client(r))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.cookie.Write(w, token)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *app) home(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) {
	render(w, "Home", `<p>Hello {{.Login}}. Two-step verification is {{if .TwoStep}}on{{else}}off{{end}}.
<form method=post action=/set-up><button>Set up an authenticator app</button></form>
{{if .TwoStep}}<form method=post action=/backup-codes><button>New backup codes</button></form>
<form method=post action=/turn-off><button>Turn two-step verification off</button></form>{{end}}
<form method=post action=/sign-out><button>Sign out</button></form>`, who.Account())
}

func (a *app) setUp(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) {
	challenge, err := a.twostep.BeginEnroll(r.Context(), who, "totp", nil, a.client(r))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	render(w, "Set up", `<p>Type this key into your app: <code>{{.Prompt.Manual}}</code>
<form method=post action="/set-up/{{.ID}}"><label>Code from the app <input name=code></label> <button>Confirm</button></form>`, challenge)
}

func (a *app) confirm(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) {
	challenge := twinlatch.ChallengeID(r.PathValue("challenge"))
	_, token, err := a.twostep.FinishEnroll(r.Context(), who, challenge, twinlatch.Answer{"code": r.FormValue("code")}, a.client(r))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.cookie.Write(w, token) // the old token is dead
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *app) backupCodes(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) {
	codes, err := a.twostep.NewBackupCodes(r.Context(), who, a.client(r))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	render(w, "Backup codes", `<p>Keep these. They are shown once.<ul>{{range .}}<li><code>{{.Reveal}}</code>{{end}}</ul><p><a href=/>Done</a>`, codes)
}

func (a *app) turnOff(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) {
	if err := a.twostep.TurnOff(r.Context(), who, a.client(r)); err != nil {
		a.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// fail sends who needs a fresh proof to again. For the rest it uses the library's
// table from errors to HTTP.
func (a *app) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, twinlatch.ErrNotFresh) {
		http.Redirect(w, r, "/again", http.StatusSeeOther)
		return
	}
	problem := web.ProblemOf(err, a.twostep.Now())
	problem.SetHeaders(w.Header())
	if problem.Status == http.StatusInternalServerError {
		log.Printf("%s: %v", r.URL.Path, err)
	}
	http.Error(w, problem.Type, problem.Status)
}

func (a *app) page(title, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { render(w, title, body, nil) }
}

func render(w http.ResponseWriter, title, body string, data any) {
	w.Header().Set("Cache-Control", "no-store")
	page := template.Must(template.New("").Parse(`<!doctype html><html lang=en><meta name=viewport content="width=device-width"><title>` + title + `</title><h1>` + title + `</h1>` + body))
	if err := page.Execute(w, data); err != nil {
		log.Print(err)
	}
}
