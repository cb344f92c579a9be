package interop

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/twinlatch/twinlatch/twinlatchtest/securitykey"
)

// ceremony is what §7.1 and §7.2 have in common, with the numbers of the steps.
type ceremony struct {
	section                                                            string
	json, kind, challenge, origin, cross, top, data, party, up, backup int
	is, isNot                                                          string // type
	lying                                                              func(...securitykey.Lie) forgery
	otherSession, otherAccount                                         func(*attempt) question
}

func (c ceremony) name(step int, what string) string {
	return fmt.Sprintf("%s step %d: %s", c.section, step, what)
}

func hostileOrigins() map[string]string {
	return map[string]string{
		"another site":                    "https://evil.example",
		"ours as a prefix":                "https://id.example.com.evil.example",
		"ours as a suffix":                "https://evilid.example.com",
		"without TLS":                     "http://id.example.com",
		"another port":                    "https://id.example.com:444",
		"the port of our other origin":    "https://id.example.com:8443",
		"our other host without its port": "https://login.example.com",
		"the usual port, written":         "https://id.example.com:443",
		"a colon without a port":          "https://id.example.com:",
		"ours as the user":                "https://id.example.com@evil.example",
		"a user":                          "https://evil@id.example.com",
		"a path":                          "https://id.example.com/verify",
		"a slash":                         "https://id.example.com/",
		"a query":                         "https://id.example.com?",
		"a fragment":                      "https://id.example.com#",
		"a host in upper case":            "https://ID.example.com",
		"a scheme in upper case":          "HTTPS://id.example.com",
		"a trailing dot":                  "https://id.example.com.",
		"a sibling":                       "https://www.example.com",
		"the domain above":                "https://example.com",
		"a domain below":                  "https://a.id.example.com",
		"another domain of the registry":  "https://com",
		"a Cyrillic letter":               "https://id.ex\u0430mple.com",
		"a Cyrillic letter in Punycode":   "https://id.xn--exmple-4nf.com",
		"a full-width dot":                "https://id\uff0eexample.com",
		"a percent sign":                  "https://id%2eexample.com",
		"a backslash":                     `https://id.example.com\@evil.example`,
		"white space":                     " https://id.example.com",
		"a NUL":                           "https://id.example.com\x00",
		"no scheme":                       "id.example.com",
		"a relative scheme":               "//id.example.com",
		"two":                             "https://id.example.com,https://evil.example",
		"opaque":                          "null",
		"empty":                           "",
		"an Android app":                  "android:apk-key-hash:Z5Zr8iwVN5qaL6o4MfIkbT5bkqp9fVn4zH5r9rYxQ1c",
		"an extension of the browser":     "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
		"an address":                      "https://127.0.0.1",
		"localhost":                       "http://localhost",
	}
}

// common is what must be refused in both.
func (c ceremony) common() []forged {
	var all []forged
	add := func(step int, what string, f forgery) { all = append(all, forged{name: c.name(step, what), forge: f}) }
	lie := func(step int, what string, lies ...securitykey.Lie) { add(step, what, c.lying(lies...)) }

	// What comes by HTTP.
	for what, said := range map[string]string{
		"nothing": "", "white space": "  ", "no JSON": "hello", "a number": "1", "null": "null", "an array": "[]", "a string": `"response"`,
		"an empty object": "{}", "10,001 arrays in each other": strings.Repeat("[", 10001) + strings.Repeat("]", 10001),
		"an object with 10,000 arrays in each other": `{"id":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + "}",
	} {
		add(3, "the response is "+what, instead(said))
	}
	for _, name := range []string{"id", "rawId", "type", "response"} {
		lie(3, "the response has no "+name, members(without(name)))
		lie(3, "the response's "+name+" is null", members(with(name, nil)))
		lie(3, "the response's "+name+" is a number", members(with(name, 7)))
		lie(3, "the response's "+name+" is empty", members(with(name, "")))
		lie(3, "the response's "+name+" is in upper case", text(func(s string) string {
			return strings.Replace(s, `"`+name+`":`, `"`+strings.ToUpper(name)+`":`, 1)
		}))
		lie(3, "the response has two members "+name, text(func(s string) string { return `{"` + name + `":"x",` + s[1:] }))
	}
	lie(3, "the response has no clientDataJSON", response(without("clientDataJSON")))
	lie(3, "the response's clientDataJSON is an object", response(with("clientDataJSON", map[string]any{"type": c.is})))
	lie(3, "the response's clientDataJSON is no base64url", response(with("clientDataJSON", "+/=!")))
	lie(3, "the response is of a password", members(with("type", "password")))
	lie(3, "the response's id is another than its rawId", reply(func(r *securitykey.Reply) { r.ID = flip(r.ID) }))
	lie(3, "the response's id is no base64url", members(with("id", "+/+/")))
	lie(3, "something follows the response", text(func(s string) string { return s + "{}" }))
	lie(3, "a letter follows the response", text(func(s string) string { return s + "x" }))
	lie(3, "the response is over 32 KiB", members(with("more", strings.Repeat("x", 33<<10))))
	all = append(all, forged{
		name: c.name(3, "the response is over 64 KiB"), status: 413,
		forge: c.lying(members(with("more", strings.Repeat("x", 65<<10)))),
	})

	// Client data.
	for what, said := range map[string]string{"empty": "", "no JSON": "type=" + c.is, "null": "null", "an array": "[]", "a string": `"` + c.is + `"`, "an empty object": "{}"} {
		lie(c.json, "the client data are "+what, clientText(func(string) string { return said }))
	}
	lie(c.json, "something follows the client data", clientText(func(s string) string { return s + "{}" }))
	for _, name := range []string{"type", "challenge", "origin"} {
		lie(c.json, "the client data have two members "+name, clientText(func(s string) string { return `{"` + name + `":"x",` + s[1:] }))
		lie(c.json, "the client data's "+name+" is in upper case", clientText(func(s string) string {
			return strings.Replace(s, `"`+name+`"`, `"`+strings.ToUpper(name)+`"`, 1)
		}))
	}
	lie(c.json, "the client data's crossOrigin is hidden by a second one", clientText(func(s string) string {
		return `{"crossOrigin":true,` + s[1:]
	}))
	// encoding/json takes a long s for an s, and a Kelvin sign for a k.
	lie(c.json, "the client data's crossOrigin is hidden by another spelling", clientText(func(s string) string {
		return `{"croſſOrigin":true,` + s[1:]
	}))
	lie(c.json, "tokenBinding is a string", clientData(with("tokenBinding", "present")))
	lie(c.json, "tokenBinding has no status", clientData(with("tokenBinding", map[string]any{"id": "x"})))
	lie(c.json, "tokenBinding has an unknown status", clientData(with("tokenBinding", map[string]any{"status": "maybe"})))

	for what, kind := range map[string]any{
		c.isNot: c.isNot, "payment.get": "payment.get", "in upper case": strings.ToUpper(c.is), "followed by a space": c.is + " ",
		"empty": "", "null": nil, "a list": []string{c.is},
	} {
		lie(c.kind, "type is "+what, clientData(with("type", kind)))
	}
	lie(c.kind, "type is missing", clientData(without("type")))

	for what, change := range map[string]func(right string) any{
		"empty":             func(string) any { return "" },
		"null":              func(string) any { return nil },
		"a list":            func(right string) any { return []string{right} },
		"all zero":          func(string) any { return base64.RawURLEncoding.EncodeToString(make([]byte, 32)) },
		"padded":            func(right string) any { return right + "=" },
		"cut":               func(right string) any { return right[:len(right)-1] },
		"longer":            func(right string) any { return right + "AA" },
		"with a line break": func(right string) any { return right + "\n" },
		"in lower case":     func(right string) any { return strings.ToLower(right) },
		"in hexadecimal":    func(right string) any { return fmt.Sprintf("%x", right) },
	} {
		lie(c.challenge, "the challenge is "+what, clientData(func(m map[string]any) { m["challenge"] = change(m["challenge"].(string)) }))
	}
	lie(c.challenge, "the challenge is missing", clientData(without("challenge")))
	add(c.challenge, "the challenge is in the other alphabet of base64", c.lying(clientData(func(m map[string]any) {
		m["challenge"] = strings.NewReplacer("-", "+", "_", "/").Replace(m["challenge"].(string)) + "="
	})))
	add(c.challenge, "the challenge is of another session", func(a *attempt) string {
		return c.lying(clientData(with("challenge", c.otherSession(a).challenge(a.t))))(a)
	})
	add(c.challenge, "the challenge is of another account", func(a *attempt) string {
		return c.lying(clientData(with("challenge", c.otherAccount(a).challenge(a.t))))(a)
	})

	for what, elsewhere := range hostileOrigins() {
		lie(c.origin, "the origin is "+what, from(elsewhere))
	}
	lie(c.origin, "the origin is missing", clientData(without("origin")))
	lie(c.origin, "the origin is null", clientData(with("origin", nil)))
	lie(c.origin, "the origin is a list", clientData(with("origin", []string{origin})))

	lie(c.cross, "a frame of another site", clientData(with("crossOrigin", true)))
	lie(c.cross, "crossOrigin is a string", clientData(with("crossOrigin", "false")))
	lie(c.top, "a frame of another site, named", clientData(func(m map[string]any) { m["crossOrigin"], m["topOrigin"] = true, "https://evil.example" }))
	lie(c.top, "a frame of our own", clientData(func(m map[string]any) { m["crossOrigin"], m["topOrigin"] = true, origin }))
	lie(c.top, "topOrigin without a frame", clientData(with("topOrigin", "https://evil.example")))

	// Authenticator data.
	for what, hash := range map[string][]byte{
		"of another site": hashOf("evil.example"), "of our host": hashOf("id.example.com"), "of our origin": hashOf(origin),
		"in upper case": hashOf("EXAMPLE.COM"), "of nothing": hashOf(""), "all zero": make([]byte, 32), "almost ours": flip(hashOf(rpID)),
	} {
		lie(c.party, "the RP ID is "+what, claims(func(k *securitykey.Claims) { k.RPIDHash = hash }))
	}
	lie(c.up, "nobody was present", claims(func(k *securitykey.Claims) { k.Flags &^= securitykey.UP }))
	lie(c.up, "all flags are clear but those of the data", claims(func(k *securitykey.Claims) { k.Flags &= securitykey.AT | securitykey.ED }))
	lie(c.backup, "backed up but not eligible", claims(func(k *securitykey.Claims) { k.Flags = k.Flags&^securitykey.BE | securitykey.BS }))

	for what, change := range map[string]func([]byte) []byte{
		"empty":                  func([]byte) []byte { return nil },
		"one byte short":         func(b []byte) []byte { return b[:len(b)-1] },
		"36 bytes":               func(b []byte) []byte { return b[:36] },
		"followed by a byte":     func(b []byte) []byte { return append(b, 0) },
		"followed by a kilobyte": func(b []byte) []byte { return append(b, make([]byte, 1024)...) },
		"said to have extensions, and has none": func(b []byte) []byte {
			b[32] |= byte(securitykey.ED)
			return b
		},
		"followed by no CBOR as extensions": func(b []byte) []byte {
			b[32] |= byte(securitykey.ED)
			return append(b, 0xff)
		},
		"followed by two maps of extensions": func(b []byte) []byte {
			b[32] |= byte(securitykey.ED)
			return append(b, 0xa0, 0xa0)
		},
		"followed by a list of extensions": func(b []byte) []byte {
			b[32] |= byte(securitykey.ED)
			return append(b, 0x80)
		},
		"followed by extensions that are not announced": func(b []byte) []byte { return append(b, 0xa0) },
		"followed by extensions 10,000 deep": func(b []byte) []byte {
			b[32] |= byte(securitykey.ED)
			return append(append(b, 0xa1, 0x61, 'x'), slices.Repeat([]byte{0x81}, 10000)...)
		},
		"followed by extensions of 2^32 members": func(b []byte) []byte {
			b[32] |= byte(securitykey.ED)
			return append(b, 0xba, 0xff, 0xff, 0xff, 0xff)
		},
	} {
		lie(c.data, "the authenticator data are "+what, authData(change))
	}
	return all
}
