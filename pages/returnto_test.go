package pages

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// hostile are the places of web/testdata/hostile.txt: none of them is ours.
func hostile(t *testing.T) []string { return quoted(t, "../web/testdata/hostile.txt") }

// quoted are the places of a file.
func quoted(t *testing.T, file string) (all []string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		to, err := strconv.Unquote(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, to)
	}
	if len(all) < 60 {
		t.Fatalf("only %d hostile places", len(all))
	}
	return all
}

// Wherever return_to is read, a place that is not ours is as good as none: the
// page works, its links carry nothing on, and success leads to Security.
func TestHostileReturnTo(t *testing.T) {
	t.Parallel()
	d, _ := withMail(t)
	ana := d.anaWithApp(t)
	off := d.person(t, "bo@example.com")
	remove := ana.get(security).link(security + "/factors/")
	for i, to := range hostile(t) {
		query := "?return_to=" + url.QueryEscape(to)
		guest, half := d.browser(t), ana.elsewhere()
		half.signIn().goes("/verify")
		for _, p := range []*page{
			guest.get("/sign-in" + query).is(200), guest.get("/sign-up" + query).is(200), guest.get("/forgot" + query).is(200),
			guest.post("/forgot"+query, "email", "x").is(422), guest.post("/forgot"+query, "email", fmt.Sprintf("x%d@example.com", i)).is(200),
			half.get("/verify" + query).is(200), half.get("/verify/ways" + query).is(200), half.get("/recover" + query).is(200), off.get("/confirm" + query).is(200), ana.get(remove + query).is(200),
			guest.post("/sign-in"+query, "email", "x", "password", "y").is(422), half.post("/verify" + query).is(422), off.post("/confirm" + query).is(422),
		} {
			for _, address := range append(p.links(), p.forms()...) {
				here := "/language?return_to=" + url.QueryEscape(strings.Fields(p.request)[1]) // this page again, where it is as good as none again
				if strings.Contains(address, "return_to") && address != here {
					t.Errorf("%q: %s leads on to %s", to, p.request, address)
				}
			}
		}
		guest.get("/verify" + query).goes("/sign-in")
		guest.post("/recover"+query, "code", "0000").goes("/sign-in")
		guest.post("/sign-up"+query, "name", "Cyd", "email", fmt.Sprintf("cyd.%d@example.com", i), "password", anaPassword).goes("/sign-in")
		ana.get("/sign-in" + query).goes(security)
		ana.get("/verify" + query).goes(security)
		half.post("/verify/ask" + query).goes("/verify")
		off.post("/confirm"+query, "password", off.password).goes(security)
		off.post("/sign-in"+query, "email", off.email, "password", off.password).goes(security)
		ana.post("/verify"+query, "code", ana.code()).goes(security)
		d.env.Clock.Advance(2 * time.Minute) // wrong passwords are forgiven in time
	}
}

// What is ours is kept through all steps, to the last character.
func TestReturnToIsKept(t *testing.T) {
	t.Parallel()
	d, _ := withMail(t)
	ana := d.anaWithApp(t)
	for _, to := range []string{"/help", security + "/turn-off", security + "?a=b&c=%2F%2Fevil.example", "/help?q=%C3%A9+%26"} {
		b := ana.elsewhere()
		query := "?return_to=" + url.QueryEscape(to)
		b.get("/sign-in"+query).offers("/sign-in"+query, "/sign-up"+query, "/forgot"+query)
		b.post("/sign-up"+query, "name", "Cyd", "email", "cyd@example.com", "password", anaPassword).goes("/sign-in" + query)
		b.post("/sign-in"+query, "email", b.email, "password", "wrong").is(422).offers("/sign-in" + query)
		b.post("/sign-in"+query, "email", b.email, "password", b.password).goes("/verify" + query)
		b.post("/verify"+query, "code", b.wrongCode()).is(422).offers("/verify"+query, "/verify/ways"+query, "/sign-in"+query)
		b.get("/verify/ways" + query).offers("/verify/ask" + query)
		b.post("/verify/ask" + query).goes("/verify" + query)
		b.get("/recover"+query).offers("/recover"+query, "/verify/ways"+query)
		b.post("/verify"+query, "code", b.code()).goes(to)
		ana.app = b.app
	}
}

// Of two places the first counts, and is checked.
func TestTwoReturnTos(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).ana(t)
	ana.get("/sign-in?return_to=%2Fhelp&return_to=%2F%2Fevil.example").goes("/help")
	ana.get("/sign-in?return_to=%2F%2Fevil.example&return_to=%2Fhelp").goes(security)
}

// Paths that are not ours are not found, or cleaned to one of ours; no browser
// is sent away by them.
func TestHostilePaths(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.anaWithApp(t)
	for _, path := range []string{
		"//evil.example", "//evil.example/", "//evil.example/..", "///evil.example/help", "/..//evil.example", "/%2f%2fevil.example", "/\\evil.example", "/%5cevil.example",
		"/./help", "/help/../help", "/help//", "/help/", "/HELP", "/help%00", "/help;x", "/verify/", "/settings", "/settings/user/security/", "/settings/user",
		"/settings/user/security%2fturn-off", "/settings//user/security/turn-off", "/static/", "/static/x/app.css", "/static/" + d.files.files["app.css"].hash + "/..%2fpages.go",
		"/static/" + d.files.files["app.css"].hash + "/app.js", "/static/" + d.files.files["app.css"].hash + "/icons.svg", "/dev/outbox", "/dev/clock", "/admin/", "/.git/config", "/favicon.ico",
	} {
		for _, method := range []string{"GET", "POST"} {
			r := httptest.NewRequest(method, "/", nil)
			r.URL = &url.URL{Path: path}
			if decoded, err := url.PathUnescape(path); err == nil && decoded != path {
				r.URL = &url.URL{Path: decoded, RawPath: path}
			}
			r.RequestURI, r.Host = path, "twinlatch.test"
			r.RemoteAddr = home4 + ":1"
			r.AddCookie(&http.Cookie{Name: "twinlatch", Value: ana.token()})
			w := httptest.NewRecorder()
			d.ServeHTTP(w, r)
			to := w.Header().Get("Location")
			switch {
			case w.Code == http.StatusNotFound && to == "":
			case w.Code >= 300 && w.Code < 400 && isOurs(to):
			default:
				t.Errorf("%s %s: status %d, goes to %q", method, path, w.Code, to)
			}
		}
	}
}
