package pages

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// posts are all forms of the door, as somebody would fill them in who has done
// the second step, by path.
func (p *person) posts() map[string]string {
	home := p.get(security)
	id := factorIDs(home)[0]
	setup := p.begin()
	posts := map[string]string{
		"/sign-up":                              url.Values{"name": {"Bo"}, "email": {"bo@example.com"}, "password": {anaPassword}}.Encode(),
		"/sign-in":                              url.Values{"email": {p.email}, "password": {p.password}}.Encode(),
		"/sign-out":                             "",
		"/language":                             "language=en",
		"/verify":                               "code=" + p.app.Code(p.now()),
		"/verify/ask":                           "factor=" + id,
		"/recover":                              "code=0000-0000-0000-0000",
		"/confirm":                              url.Values{"password": {p.password}}.Encode(),
		"/dev/clock":                            "advance=1s",
		security + "/add/totp":                  "",
		setup.link(security + "/confirm/"):      "code=" + p.app.Code(p.now()),
		security + "/factors/" + id + "/remove": "",
		security + "/factors/" + id + "/rename": "name=Phone",
		security + "/factors/" + id + "/prefer": "",
		passwordPath:                            url.Values{"old": {"not it, not at all"}, "password": {"five unrelated words are here"}}.Encode(),
		profilePath:                             "name=Bo&language=cs",
		addressPath:                             url.Values{"email": {"new@example.com"}}.Encode(),
		"/forgot":                               url.Values{"email": {p.email}}.Encode(),
		"/reset/x":                              url.Values{"password": {"five unrelated words are here"}}.Encode(),
		"/not-me/x":                             "",
		"/email/x":                              "",
		"/email/again":                          "",
		security + "/turn-off":                  "",
		security + "/backup-codes":              "",
		security + "/sessions/end-others":       "",
		security + "/sessions/aaaaaaaaaaaaaaaaaaaaaaaaaa/end": "",
	}
	for _, r := range p.door.routes() { // of administrators, who they are not
		if r.method == "POST" && strings.HasPrefix(r.path, adminPath) {
			posts[strings.NewReplacer("{account}", "aaaaaaaaaaaaaaaaaaaaaaaaaa", "{group}", everyone).Replace(r.path)] = ""
		}
	}
	return posts
}

// onlyForms are those that read what was posted.
func onlyForms(posts map[string]string) map[string]string {
	read := map[string]string{}
	for path, body := range posts {
		if body != "" {
			read[path] = body
		}
	}
	return read
}

func TestPostsFromOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	d, _ := withMail(t, development)
	ana := d.anaWithApp(t)
	posts := ana.posts()
	if want := slices.DeleteFunc(d.routes(), func(r route) bool { return r.method != "POST" }); len(posts) != len(want) {
		t.Fatalf("%d posts, %d routes", len(posts), len(want))
	}
	before := ana.get(security).text("main")
	for path, body := range posts {
		for name, header := range map[string]http.Header{
			"foreign origin":        {"Origin": {"https://evil.example"}},
			"foreign origin, lie":   {"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}},
			"opaque origin":         {"Origin": {"null"}},
			"other scheme and port": {"Origin": {"https://localhost:8443"}},
			"prefix of ours":        {"Origin": {"http://localhost:80"}},
			"longer than ours":      {"Origin": {"http://localhost:8080.evil.example"}},
			"user is not host":      {"Origin": {"http://localhost:8080@evil.example"}},
			"cross-site":            {"Sec-Fetch-Site": {"cross-site"}},
			"same-site, not origin": {"Sec-Fetch-Site": {"same-site"}},
			"cross-site, referrer":  {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}, "Referer": {"http://localhost:8080/"}},
			"unheard of":            {"Sec-Fetch-Site": {"whatever"}},
		} {
			r := ana.request("POST", path, body)
			r.Header.Del("Origin")
			r.Header.Del("Sec-Fetch-Site")
			for key, values := range header {
				r.Header[key] = values
			}
			p := ana.send(r)
			if p.status != http.StatusForbidden || len(p.cookies) != 0 {
				t.Errorf("POST %s from %s: status %d, cookies %v", path, name, p.status, p.cookies)
			}
			p.titled("Error: That did not work").says("This request came from another site, so we refused it. Open the page here and try again.")
		}
	}
	if after := ana.get(security).text("main"); after != before {
		t.Errorf("something has changed: %s", after)
	}
}

// Browsers that send neither header, and tools, are no other site; nor is our
// own origin, nor what the person did in the browser itself.
func TestPostsFromHere(t *testing.T) {
	t.Parallel()
	d := newDoor(t, overHTTPS)
	d.ana(t)
	for name, header := range map[string]http.Header{
		"nothing said": {}, "our origin": {"Origin": {secure}}, "same-origin": {"Sec-Fetch-Site": {"same-origin"}, "Origin": {secure}}, "the person": {"Sec-Fetch-Site": {"none"}},
	} {
		b := d.browser(t)
		r := b.request("POST", "/sign-in", url.Values{"email": {anaEmail}, "password": {anaPassword}}.Encode())
		r.Header.Del("Origin")
		r.Header.Del("Sec-Fetch-Site")
		for key, values := range header {
			r.Header[key] = values
		}
		if p := b.send(r); p.status != http.StatusSeeOther {
			t.Errorf("%s: status %d", name, p.status)
		}
	}
}

// Opening a page from elsewhere is no crime, and changes nothing.
func TestGetsFromOtherSites(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	for _, path := range []string{security, "/verify", security + "/turn-off"} {
		r := ana.request("GET", path, "")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Referer", "https://evil.example/")
		if p := ana.send(r); p.status >= 400 {
			t.Errorf("GET %s: status %d", path, p.status)
		}
	}
}

// malformed are bodies that no page of ours sends.
func malformed(body string) map[string]struct {
	status            int
	message           string
	contentType, body string
} {
	const form, unreadable = "application/x-www-form-urlencoded", "We could not read this form. Open the page here and try again."
	name, value, _ := strings.Cut(strings.Split(body, "&")[0], "=")
	var parts bytes.Buffer
	w := multipart.NewWriter(&parts)
	_ = w.WriteField(name, value) // writes to memory do not fail
	_ = w.Close()
	return map[string]struct {
		status            int
		message           string
		contentType, body string
	}{
		"1 MB":                {413, "That is too much data. Send less.", form, body + "&x=" + strings.Repeat("a", 1<<20)},
		"one byte too much":   {413, "That is too much data. Send less.", form, body + "&x=" + strings.Repeat("a", 64<<10-len(body)-2)},
		"JSON":                {400, unreadable, "application/json", fmt.Sprintf("{%q: %q}", name, value)},
		"multipart":           {400, unreadable, w.FormDataContentType(), parts.String()},
		"text":                {400, unreadable, "text/plain", body},
		"no media type":       {400, unreadable, "", body},
		"two values":          {400, unreadable, form, body + "&" + name + "=" + value},
		"two values, array":   {400, unreadable, form, body + "&x=1&x=2"},
		"invalid UTF-8":       {400, unreadable, form, body + "&x=%ff%fe"},
		"UTF-16":              {400, unreadable, form, body + "&x=%d8%00"},
		"bad escape":          {400, unreadable, form, body + "&x=%zz"},
		"semicolon":           {400, unreadable, form, body + ";x=1"},
		"half a percent sign": {400, unreadable, form, body + "&x=%"},
	}
}

func TestMalformedPosts(t *testing.T) {
	t.Parallel()
	d, _ := withMail(t, development)
	ana := d.anaWithApp(t)
	before := ana.get(security).text("main")
	for path, body := range onlyForms(ana.posts()) {
		for name, c := range malformed(body) {
			t.Run(path+" "+name, func(t *testing.T) {
				b := ana.withToken(ana.token())
				b.t = t
				r := b.request("POST", path, c.body)
				r.Header.Set("Content-Type", c.contentType)
				if c.contentType == "" {
					r.Header.Del("Content-Type")
				}
				if path == "/dev/clock" && name == "JSON" {
					b.send(r).is(200) // that is what it is for
					return
				}
				p := b.send(r).is(c.status).titled("Error: That did not work").says(c.message)
				if len(p.cookies) != 0 {
					t.Errorf("cookies %v", p.cookies)
				}
			})
		}
	}
	if after := ana.get(security).text("main"); after != before {
		t.Errorf("something has changed: %s", after)
	}
	ana.post("/verify", "code", ana.wrongCode()).says("You have 4 tries left.") // no try was counted
}

// As large as may be is read.
func TestLargestForm(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).ana(t)
	body := url.Values{"email": {ana.email}, "password": {ana.password}}.Encode()
	ana.send(ana.request("POST", "/sign-in", body+"&x="+strings.Repeat("a", 64<<10-len(body)-3))).goes(security)
}

// A body may come without a length, or not at all.
func TestBodyWithoutLength(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).ana(t)
	r := ana.request("POST", "/sign-in", "")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader("email=ana%40example.com&password=four")), -1
	ana.send(r).is(422)
	r = ana.request("POST", "/sign-in", "")
	r.Body, r.ContentLength = http.NoBody, 0
	ana.send(r).is(422)
}

// What stands in the address is no field: addresses are logged and kept.
func TestFieldsComeFromTheBodyOnly(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.anaWithApp(t).elsewhere()
	ana.post("/sign-in?" + url.Values{"email": {ana.email}, "password": {ana.password}}.Encode()).is(422)
	ana.signIn()
	ana.post("/verify?code=" + ana.code()).is(422)
	ana.verify().goes(security)
	id := factorIDs(ana.get(security))[0]
	ana.post(security + "/factors/" + id + "/rename?name=Phone").is(422)
}
