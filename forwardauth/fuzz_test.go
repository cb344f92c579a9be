package forwardauth_test

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch/forwardauth"
	"github.com/twinlatch/twinlatch/rules"
	"github.com/twinlatch/twinlatch/web"
)

// strangers is a door whose rules let nobody in unknown, and a session that exists: its
// tokens are what guesses come close to.
func strangers(t testing.TB, change ...func(*forwardauth.Config)) (*world, []string) {
	t.Helper()
	w := newWorldOf(t, slices.DeleteFunc(slices.Clone(apps), func(line string) bool { return strings.HasSuffix(line, " public") }), change...)
	_, ana := w.protected("ana@example.com")
	ana.opens(wiki).is(200)
	return w, []string{ana.token().Reveal(), ana.tokenAt(wiki).Reveal()}
}

// notLetIn fails the test when somebody passes, or breaks the door.
func (w *world) notLetIn(t testing.TB, r *http.Request, describe func() any) {
	t.Helper()
	rec := httptest.NewRecorder()
	w.door.ServeHTTP(rec, r)
	if rec.Code < 300 || rec.Code >= 500 {
		t.Fatalf("status %d: %v\n%s", rec.Code, describe(), rec.Body)
	}
	if user, sent := rec.Header()["Remote-User"]; sent {
		t.Fatalf("the app is told %q: %v", user, describe())
	}
	if to := rec.Header().Get("Location"); to != "" && !leads(w, to) {
		t.Fatalf("leads to %q: %v", to, describe())
	}
}

// leads reports whether an address is our pages' or an app's.
func leads(w *world, to string) bool {
	return strings.HasPrefix(to, w.cfg.Address.String()+web.HandOverPath+"?") ||
		slices.ContainsFunc(w.cfg.Rules.All(), func(r *rules.Rule) bool { return strings.HasPrefix(to, r.Origin+"/") })
}

// Whatever somebody without a session sends, nobody passes and nothing breaks. The
// seed is always the same.
func TestTenThousandStrangers(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*forwardauth.Config){
		"own cookies": func(*forwardauth.Config) {}, "shared cookie": func(c *forwardauth.Config) { c.CookieDomain = "example.com" },
	} {
		t.Run(name, func(t *testing.T) {
			w, tokens := strangers(t, change)
			random := rand.New(rand.NewPCG(1, 2))
			for i := range 10_000 {
				r := w.stranger(random, tokens)
				w.notLetIn(t, r, func() any { return []any{i, r.Method, r.RequestURI, r.Host, r.RemoteAddr, r.Header} })
			}
		})
	}
}

// one is any of several.
func one[T any](random *rand.Rand, of ...T) T { return of[random.IntN(len(of))] }

// noise is short nonsense.
func noise(random *rand.Rand) string {
	const characters = "abz019AZ.-_=;:,/\\?#%&@+*\"' \t\x00\x7f\xffäａ"
	b := make([]byte, random.IntN(40))
	for i := range b {
		b[i] = characters[random.IntN(len(characters))]
	}
	return string(b)
}

// forged is a token that comes close to a right one, and is none.
func forged(random *rand.Rand, tokens []string) string {
	token := []byte(one(random, tokens...))
	const characters = "abcdefghijklmnopqrstuvwxyz234567"
	switch random.IntN(6) {
	case 0:
		return noise(random)
	case 1: // another secret
		copy(token[54:], "AAAA")
	case 2:
		token = token[:random.IntN(len(token))]
	case 3: // another account or session
		for at := random.IntN(53); ; {
			if c := characters[random.IntN(len(characters))]; at != 26 && c != token[at] {
				token[at] = c
				break
			} else if at == 26 {
				at++
			}
		}
	case 4:
		return string(token) + "x" + noise(random)
	case 5:
		return strings.ToUpper(string(token))
	}
	return string(token)
}

func (w *world) stranger(random *rand.Rand, tokens []string) *http.Request {
	host := one(random, "https://wiki.example.com", "https://files.example.net:8443", "http://app.localhost:3000", "https://WIKI.example.com.", "wss://wiki.example.com", "https://evil.example", noise(random))
	path := one(random, "/", "/admin", "/staff/x", "/closed", "/status", "/.twinlatch/handover?return_to=/&ticket="+tokens[0], "/.twinlatch/"+noise(random), "//x", "/%2e%2e/", "/"+noise(random))
	r := question(one(random, kinds...), one(random, "GET", "HEAD", "POST", "OPTIONS", "CONNECT", "", noise(random)), host+path)
	if random.IntN(8) == 0 {
		r.RequestURI += noise(random)
	}
	for range random.IntN(4) {
		name := one(random, "__Host-twinlatch", "__Secure-twinlatch", "twinlatch", "__Host-twinlatch-state", "twinlatch-state", noise(random))
		r.Header.Add("Cookie", name+"="+forged(random, tokens)+one(random, "", ";", "; a=b", ", "))
	}
	for range random.IntN(5) {
		name := one(random, "Authorization", "Remote-User", "Remote-Email", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Uri", "X-Forwarded-Proto", "X-Forwarded-Method", "X-Original-Url", "X-Original-Method", "Sec-Fetch-Mode", "Accept", "Referer", "X-Real-Ip", "Forwarded", "X-Requested-With")
		value := one(random, noise(random), "navigate", "text/html", host+"/", home, "unknown", "Bearer "+tokens[0], "ana@example.com")
		switch random.IntN(4) {
		case 0:
			r.Header[name] = append(r.Header[name], value)
		case 1:
			delete(r.Header, name)
		default:
			r.Header[name] = []string{value}
		}
	}
	if random.IntN(16) == 0 {
		r.RemoteAddr = one(random, "192.0.2.1:1", "[::1]:1", "", noise(random))
	}
	return r
}

// FuzzDoor lets the fuzzer write what strangers send.
func FuzzDoor(f *testing.F) {
	w, tokens := strangers(f)
	for _, kind := range []uint8{0, 1, 2} {
		f.Add(kind, "GET", "https", "wiki.example.com", "/", "__Host-twinlatch="+tokens[0], home, "navigate")
		f.Add(kind, "POST", "http", "app.localhost:3000", "/.twinlatch/handover?ticket="+tokens[1]+"&return_to=/", "twinlatch-state=abcdefghijklmnopqrstuvwxyz", "unknown, "+home, "")
		f.Add(kind, "GET", "wss", "FILES.example.net.:8443", "//x/%2e%2e/%00", "__Host-twinlatch=a; __Host-twinlatch=b", "", "cors")
	}
	f.Fuzz(func(t *testing.T, kind uint8, method, scheme, host, uri, cookie, forwarded, mode string) {
		for _, token := range tokens {
			if strings.Contains(cookie, token) && strings.Contains(host, "wiki") {
				return // that is no stranger
			}
		}
		r := question(kinds[int(kind)%len(kinds)], method, scheme+"://"+host+uri)
		r.Header.Set("Cookie", cookie)
		r.Header.Set("X-Forwarded-For", forwarded)
		r.Header.Set("Sec-Fetch-Mode", mode)
		w.notLetIn(t, r, func() any { return []any{r.RequestURI, r.Host, r.Header} })
	})
}
