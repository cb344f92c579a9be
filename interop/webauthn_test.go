package interop

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch/method/webauthn"
	"github.com/twinlatch/twinlatch/twinlatchtest/securitykey"
)

// Security keys over HTTP. What must be refused step by step is in
// registering_test.go and authenticating_test.go; here is what must work, and
// what takes more than one answer to tell.

// Keys that people have sign in, again and again.
func TestKeysSignIn(t *testing.T) {
	s := newSite(t)
	for name, key := range map[string]*securitykey.Key{
		"ES256": newKey(),
		"EdDSA": newKey(func(k *securitykey.Key) { k.Algorithm = securitykey.EdDSA }),
		"RS256": newKey(func(k *securitykey.Key) { k.Algorithm = securitykey.RS256 }),

		"with self attestation":             newKey(self),
		"with self attestation of EdDSA":    newKey(self, func(k *securitykey.Key) { k.Algorithm = securitykey.EdDSA }),
		"with self attestation of RS256":    newKey(self, func(k *securitykey.Key) { k.Algorithm = securitykey.RS256 }),
		"with a certificate":                newKey(packed),
		"with a certificate, EdDSA":         newKey(packed, func(k *securitykey.Key) { k.Algorithm = securitykey.EdDSA }),
		"a U2F key":                         securitykey.NewU2F(rand.Reader),
		"a passkey":                         securitykey.NewPasskey(rand.Reader),
		"a passkey that is not backed up":   newKey(func(k *securitykey.Key) { k.Flags |= securitykey.BE }),
		"that proves nobody, only presence": newKey(func(k *securitykey.Key) { k.Flags = securitykey.UP }),
		"that counts in thousands":          newKey(func(k *securitykey.Key) { k.Step = 1000 }),
		"that does not count":               newKey(func(k *securitykey.Key) { k.Step = 0 }),
		"with a new transport":              newKey(func(k *securitykey.Key) { k.Transports = []string{"thought"} }),
		"without transports":                newKey(func(k *securitykey.Key) { k.Transports = nil }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := s.person(t)
			p.enroll(key)
			for range 3 {
				p.elsewhere().verify(key)
			}
		})
	}
}

// What is not ours to judge is let pass.
func TestHarmlessDifferences(t *testing.T) {
	s := newSite(t)
	unasked := claims(func(c *securitykey.Claims) {
		c.Flags |= securitykey.ED
		c.Extensions = map[string]any{"credProtect": 2}
	})
	for name, lie := range map[string]securitykey.Lie{
		"client data with more members": clientData(func(m map[string]any) { m["new_keys_may_be_added_here"], m["x"] = "see https://goo.gl/yabPex", nil }),
		"client data in another order":  clientData(func(map[string]any) {}),
		"client data with white space":  clientText(func(s string) string { return " " + strings.ReplaceAll(s, ",", " ,\n") + "\r\n" }),
		"client data with escapes":      clientText(func(s string) string { return strings.Replace(s, "https:", `\u0068ttps:`, 1) }),
		"no crossOrigin":                clientData(without("crossOrigin")),
		"token binding of Level 2":      clientData(with("tokenBinding", map[string]any{"status": "supported"})),
		"extensions nobody asked for":   unasked,
		"outputs of extensions":         members(with("clientExtensionResults", map[string]any{"credProps": map[string]any{"rk": true}, "x": []int{1}})),
		"no outputs of extensions":      members(without("clientExtensionResults")),
		"members of newer browsers":     members(func(m map[string]any) { m["authenticatorAttachment"], m["x"] = "cross-platform", map[string]any{} }),
		"reserved flags":                claims(func(c *securitykey.Claims) { c.Flags |= 1<<1 | 1<<5 }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, key := s.person(t), newKey()
			q := p.adds()
			p.answers(q, made(t)(key.Register(origin, q.options, lie))).goes(security)
			half := p.elsewhere()
			q = half.asked()
			half.answers(q, made(t)(key.Sign(origin, q.options, lie))).goes(security)
		})
	}
	t.Run("a credential id of 1023 bytes", func(t *testing.T) {
		p, key := s.person(t), newKey()
		q := p.adds()
		p.answers(q, made(t)(key.Register(origin, q.options, claims(func(c *securitykey.Claims) {
			c.Attested.ID = make([]byte, 1023)
		})))).goes(security)
		p.elsewhere().verify(key)
	})
}

// One relying party has several origins, and one key for all.
func TestOrigins(t *testing.T) {
	p, key := newSite(t).person(t), newKey()
	q := p.adds()
	p.answers(q, made(t)(key.Register(otherPort, q.options))).goes(security)
	for _, at := range []string{otherPort, origin} {
		half := p.elsewhere()
		q := half.asked()
		half.answers(q, made(t)(key.Sign(at, q.options))).goes(security)
	}
	// Pages that are there as well: the whole sign-in, with a session of its own.
	there := *p
	there.at = otherPort
	half := there.elsewhere()
	q = half.asked()
	half.answers(q, made(t)(key.Sign(otherPort, q.options))).goes(security)
	half.get(security).is(http.StatusOK)
	// A browser does not even ask the key for a site of somebody else's.
	if _, err := key.Sign("https://id-example.com", p.elsewhere().asked().options); !errors.Is(err, securitykey.ErrOrigin) {
		t.Errorf("at a phisher's: %v", err)
	}
}

// Where the PIN is required, a touch is not enough.
func TestUserVerification(t *testing.T) {
	s := newSite(t, func(c *webauthn.Config) { c.UserVerification = "required" })
	touched := claims(func(c *securitykey.Claims) { c.Flags &^= securitykey.UV })
	t.Run("§7.1 step 16: nobody proved who they are", func(t *testing.T) {
		p, key := s.person(t), newKey()
		q := p.adds()
		p.answers(q, made(t)(key.Register(origin, q.options, touched))).is(refused)
		p.mustHaveNoKey()
	})
	t.Run("§7.2 step 17: nobody proved who they are", func(t *testing.T) {
		p, key := s.person(t), newKey()
		p.enroll(key)
		half := p.elsewhere()
		q := half.asked()
		half.answers(q, made(t)(key.Sign(origin, q.options, touched))).is(refused)
		half.mustWait()
		half.verify(key)
	})
	t.Run("a browser offers no key without a PIN", func(t *testing.T) {
		if _, err := newKey(u2f).Register(origin, s.person(t).adds().options); !errors.Is(err, securitykey.ErrNotAllowed) {
			t.Errorf("got %v", err)
		}
	})
}

// Where models are listed, a key proves to be one of them or is refused.
func TestModels(t *testing.T) {
	const listed = "7477696e-6c61-7463-6827-73206b65792e" // that of securitykey.New
	s := newSite(t, func(c *webauthn.Config) { c.Models = []string{listed} })
	p, key := s.person(t), newKey(packed)
	p.enroll(key)
	p.elsewhere().verify(key)
	for name, other := range map[string]*securitykey.Key{
		"another model":                    newKey(packed, func(k *securitykey.Key) { k.AAGUID[0]++ }),
		"no model":                         newKey(packed, func(k *securitykey.Key) { k.AAGUID = [16]byte{} }),
		"the model, not proved":            newKey(),
		"the model, said by itself":        newKey(self),
		"a U2F key, which has no model":    newKey(u2f),
		"a passkey, which proves no model": securitykey.NewPasskey(rand.Reader),
	} {
		t.Run("§7.1 step 24: "+name, func(t *testing.T) {
			p := s.person(t)
			q := p.adds()
			p.answers(q, made(t)(other.Register(origin, q.options))).is(refused).
				says("This kind of security key cannot be used here. Use another one.")
			p.mustHaveNoKey()
		})
	}
}

const copied = "We refused this key because it may have been copied. Use another method, then remove this key."

// counting lets the key say a count.
func counting(n uint32) securitykey.Lie {
	return claims(func(c *securitykey.Claims) { c.Counter = n })
}

// §7.2 step 22: the signature counter moves forward, or the key may be a copy.
func TestCounter(t *testing.T) {
	s := newSite(t)
	for name, c := range map[string]struct {
		registered uint32
		said       []uint32 // the last is refused
	}{
		"equal":                    {0, []uint32{10, 10}},
		"one less":                 {0, []uint32{10, 9}},
		"zero after others":        {0, []uint32{10, 0}},
		"one, twice":               {0, []uint32{1, 1}},
		"equal at the first use":   {41, []uint32{41}},
		"less at the first use":    {41, []uint32{40}},
		"zero at the first use":    {41, []uint32{0}},
		"zero after it had begun":  {0, []uint32{0, 0, 5, 0}},
		"round to zero":            {math.MaxUint32 - 1, []uint32{math.MaxUint32, 0}},
		"round to one":             {math.MaxUint32 - 1, []uint32{math.MaxUint32, 1}},
		"over 31 bits, then under": {0, []uint32{1 << 31, 1<<31 - 1}},
	} {
		t.Run("§7.2 step 22: "+name, func(t *testing.T) {
			t.Parallel()
			p, key := s.person(t), newKey()
			q := p.adds()
			p.answers(q, made(t)(key.Register(origin, q.options, counting(c.registered)))).goes(security)
			half, last := p, len(c.said)-1
			for _, n := range c.said[:last] {
				half = p.elsewhere()
				q = half.asked()
				half.answers(q, made(t)(key.Sign(origin, q.options, counting(n)))).goes(security)
			}
			half = p.elsewhere()
			q = half.asked()
			half.answers(q, made(t)(key.Sign(origin, q.options, counting(c.said[last])))).is(refused).says(copied)
			half.mustWait()
			p.tellsOfCopy()
			if highest := max(c.registered, c.said[max(0, last-1)]); highest < math.MaxUint32 {
				q = half.asked()
				half.answers(q, made(t)(key.Sign(origin, q.options, counting(highest+1)))).goes(security)
			}
		})
	}
}

// tellsOfCopy fails the test unless Security tells the owner.
func (p *person) tellsOfCopy() {
	p.t.Helper()
	p.get(security).is(http.StatusOK).says("may have been copied")
}

// A key and its copy: who comes second is refused, and the owner learns of it.
func TestClone(t *testing.T) {
	s := newSite(t)
	for name, theirs := range map[string]bool{"the thief is first": true, "the owner is first": false} {
		t.Run("§7.2 step 22: "+name, func(t *testing.T) {
			p, key := s.person(t), newKey()
			p.enroll(key)
			p.elsewhere().verify(key)
			first, second := key, key.Clone()
			if theirs {
				first, second = second, first
			}
			p.elsewhere().verify(first)
			late := p.elsewhere()
			q := late.asked()
			late.answers(q, made(t)(second.Sign(origin, q.options))).is(refused).says(copied)
			late.mustWait()
			p.tellsOfCopy()
		})
	}
}

// §7.1 step 26: a credential is registered once.
func TestRegisteredAlready(t *testing.T) {
	s := newSite(t)
	p, key := s.person(t), newKey()
	p.enroll(key)
	q := p.adds()
	if _, err := key.Register(origin, q.options); !errors.Is(err, securitykey.ErrExcluded) {
		t.Errorf("the browser is not told of it: %v", err)
	}
	var known struct {
		Exclude []struct{ ID securitykey.Bytes } `json:"excludeCredentials"`
	}
	if err := json.Unmarshal(q.options, &known); err != nil || len(known.Exclude) != 1 {
		t.Fatal(err, known)
	}
	same := claims(func(c *securitykey.Claims) { c.Attested.ID = known.Exclude[0].ID })
	t.Run("§7.1 step 26: by the same account", func(t *testing.T) {
		p.answers(q, made(t)(newKey().Register(origin, q.options, same))).is(refused).
			says("This key is already on your account.")
		p.elsewhere().verify(key)
	})
	// An account's credentials are its own: what another one registers under the
	// same id opens that one and nothing else.
	t.Run("§7.1 step 26: by another account", func(t *testing.T) {
		thief, copied := s.person(t), newKey()
		q := thief.adds()
		thief.answers(q, made(t)(copied.Register(origin, q.options, same)))
		half := p.elsewhere()
		q = half.asked()
		half.answers(q, made(t)(copied.Sign(origin, q.options))).is(refused)
		half.mustWait()
		half.verify(key)
		half = thief.elsewhere()
		if at := half.get("/verify"); at.status == http.StatusOK {
			q = at.question("get")
			half.answers(q, made(t)(key.Sign(origin, q.options))).is(refused)
			half.mustWait()
		}
	})
}

// A challenge of one ceremony is none of the other.
func TestChallengeOfTheOtherCeremony(t *testing.T) {
	p, key := newSite(t).person(t), newKey()
	p.enroll(key)
	t.Run("§7.1 step 8: the challenge of an authentication", func(t *testing.T) {
		second, q := newKey(), p.adds()
		other := p.elsewhere().asked().challenge(t)
		p.answers(q, made(t)(second.Register(origin, q.options, clientData(with("challenge", other))))).is(refused)
		half := p.elsewhere()
		if _, err := second.Sign(origin, half.asked().options); !errors.Is(err, securitykey.ErrNotAllowed) {
			t.Errorf("the key is asked for: %v", err)
		}
	})
	t.Run("§7.1 step 3: a registration as the second step", func(t *testing.T) {
		q := p.adds()
		registered := made(t)(newKey().Register(origin, q.options))
		half := p.elsewhere()
		half.answers(half.asked(), registered).is(refused)
		half.mustWait()
		half.verify(key)
	})
}

// A question is open for five minutes, not a moment longer.
func TestExpiry(t *testing.T) {
	const open = 5 * time.Minute
	for name, c := range map[string]struct {
		after  time.Duration
		status int
	}{
		"just in time":      {open - time.Second, http.StatusSeeOther},
		"five minutes":      {open, refused},
		"and a second":      {open + time.Second, refused},
		"before it was put": {-time.Second, http.StatusSeeOther},
	} {
		t.Run("§7.2 step 11: "+name, func(t *testing.T) {
			s := newSite(t)
			p, key := s.person(t), newKey()
			p.enroll(key)
			half := p.elsewhere()
			q := half.asked()
			s.Clock.Advance(c.after)
			half.answers(q, made(t)(key.Sign(origin, q.options))).is(c.status)
			if c.status != http.StatusSeeOther {
				half.mustWait()
				half.verify(key)
			}
		})
		t.Run("§7.1 step 8: "+name, func(t *testing.T) {
			s := newSite(t)
			p, key := s.person(t), newKey()
			q := p.adds()
			s.Clock.Advance(c.after)
			p.answers(q, made(t)(key.Register(origin, q.options))).is(c.status)
			if c.status != http.StatusSeeOther {
				p.mustHaveNoKey()
				p.enroll(newKey())
			}
		})
	}
}

// After a refusal the same page asks again, with a challenge of its own.
func TestAskedAgain(t *testing.T) {
	p, key := newSite(t).person(t), newKey()
	q := p.adds()
	again := p.answers(q, made(t)(newKey().Register(origin, q.options, from("https://evil.example")))).is(refused).question("create")
	if again.challenge(t) == q.challenge(t) {
		t.Error("the challenge of a refused registration is asked again")
	}
	p.answers(again, made(t)(key.Register(origin, again.options))).goes(security)

	half := p.elsewhere()
	q = half.asked()
	again = half.answers(q, made(t)(key.Sign(origin, q.options, from("https://evil.example")))).is(refused).question("get")
	if again.challenge(t) == q.challenge(t) {
		t.Error("the challenge of a refused authentication is asked again")
	}
	half.answers(again, made(t)(key.Sign(origin, again.options))).goes(security)
}

// Keys that were removed are keys no more.
func TestRemoved(t *testing.T) {
	s := newSite(t)
	p, lost, key := s.person(t), newKey(), newKey()
	p.enroll(lost)
	s.Clock.Advance(time.Second)
	p.enroll(key)
	waiting := p.elsewhere()
	q := waiting.asked()
	p.removesFirst()
	t.Run("§7.2 step 5: a credential that was removed after the question", func(t *testing.T) {
		waiting.answers(q, made(t)(lost.Sign(origin, q.options))).goes("/sign-in") // its session is over as well
	})
	t.Run("§7.2 step 6: a credential that was removed", func(t *testing.T) {
		half := p.elsewhere()
		q := half.asked()
		if _, err := lost.Sign(origin, q.options); !errors.Is(err, securitykey.ErrNotAllowed) {
			t.Errorf("it is asked for: %v", err)
		}
		a := &attempt{person: half, key: key, question: q}
		half.answers(q, a.allowing(lost).sign(reply(anonymous))).is(refused).
			says("That security key is not on your account. Use another key, or try another way.")
		half.mustWait()
		half.verify(key)
	})
}

// YSA-2026-02: somebody who has no key at all is not let in by one.
func TestAccountWithoutKeys(t *testing.T) {
	s := newSite(t)
	p, key := s.person(t), newKey()
	p.enroll(key)
	right := made(t)(key.Sign(origin, p.elsewhere().asked().options))
	bare := s.person(t)
	bare.post("/verify", "response", right).goes(security)
	bare.mustHaveNoKey()
	out := &person{t: t, site: s, ip: p.ip}
	out.client = out.newClient()
	out.post("/verify", "response", right).goes("/sign-in")
	if at := out.get(security); at.status != http.StatusSeeOther {
		t.Errorf("Security answers %d", at.status)
	}
}

// An answer is one field of a form that is posted.
func TestAnswersAreFields(t *testing.T) {
	p, key := newSite(t).person(t), newKey()
	p.enroll(key)
	half := p.elsewhere()
	q := half.asked()
	right := made(t)(key.Sign(origin, q.options))
	half.post(q.action, "response", "{}", "response", right).is(http.StatusBadRequest)
	half.post(q.action, "response", right, "response", right).is(http.StatusBadRequest)
	half.post(q.action, "Response", right).is(refused)
	half.post(q.action+"?response="+url.QueryEscape(right), "x", "y").is(refused)
	half.get(q.action + "?response=" + url.QueryEscape(right)).is(http.StatusOK)
	half.send(http.MethodPost, q.action, right).is(refused)
	half.mustWait()
	half.answers(q, right).goes(security) // none of that was an answer
}

// atOnce posts n responses at the same time, each as the person that as gives.
func atOnce(n int, as func(i int) *person, q func(i int) (question, string)) (statuses map[int]int) {
	pages, start := make([]*page, n), make(chan struct{})
	var posting sync.WaitGroup
	for i := range n {
		p := as(i)
		asked, response := q(i)
		posting.Go(func() {
			<-start
			pages[i] = p.answers(asked, response)
		})
	}
	close(start)
	posting.Wait()
	statuses = map[int]int{}
	for _, p := range pages {
		if p.status == http.StatusSeeOther && p.location != security {
			statuses[0]++ // sent elsewhere
			continue
		}
		statuses[p.status]++
	}
	return statuses
}

// Of many answers at once one counts.
func TestAtOnce(t *testing.T) {
	const n = 50
	t.Run("one assertion over one session", func(t *testing.T) {
		p, key := newSite(t).person(t), newKey()
		p.enroll(key)
		half := p.elsewhere()
		q := half.asked()
		right := made(t)(key.Sign(origin, q.options))
		got := atOnce(n, func(int) *person { return half.copied() }, func(int) (question, string) { return q, right })
		if got[http.StatusSeeOther] != 1 || got[http.StatusInternalServerError] > 0 {
			t.Errorf("statuses %v, want one 303", got)
		}
	})
	t.Run("different assertions over one session", func(t *testing.T) {
		p, key := newSite(t).person(t), newKey()
		p.enroll(key)
		half := p.elsewhere()
		q := half.asked()
		got := atOnce(n, func(int) *person { return half.copied() }, func(int) (question, string) {
			return q, made(t)(key.Sign(origin, q.options))
		})
		if got[http.StatusSeeOther] != 1 || got[http.StatusInternalServerError] > 0 {
			t.Errorf("statuses %v, want one 303", got)
		}
	})
	t.Run("one assertion over two sessions", func(t *testing.T) {
		p, key := newSite(t).person(t), newKey()
		p.enroll(key)
		mine, other := p.elsewhere(), p.elsewhere()
		q := mine.asked()
		asked := other.asked()
		right := made(t)(key.Sign(origin, q.options))
		got := atOnce(n, func(i int) *person { return []*person{mine, other}[i%2].copied() }, func(i int) (question, string) {
			return []question{q, asked}[i%2], right
		})
		if got[http.StatusSeeOther] != 1 || got[http.StatusInternalServerError] > 0 {
			t.Errorf("statuses %v, want one 303", got)
		}
		other.mustWait()
	})
	t.Run("one registration", func(t *testing.T) {
		p, key := newSite(t).person(t), newKey()
		q := p.adds()
		right := made(t)(key.Register(origin, q.options))
		got := atOnce(n, func(int) *person { return p.copied() }, func(int) (question, string) { return q, right })
		if got[http.StatusSeeOther] != 1 || got[http.StatusInternalServerError] > 0 {
			t.Errorf("statuses %v, want one 303", got)
		}
		p.elsewhere().verify(key)
	})
}

// copied is another browser with the same cookies, and an address of its own.
func (p *person) copied() *person {
	p.t.Helper()
	n := p.site.people.Add(1)
	other := *p
	other.client, other.ip = p.newClient(), fmt.Sprintf("198.18.%d.%d", n>>8, n&0xff)
	at := &url.URL{Scheme: "https", Host: "id.example.com", Path: "/"}
	other.client.Jar.SetCookies(at, p.client.Jar.Cookies(at))
	return &other
}
