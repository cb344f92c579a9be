package config_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/config"
)

// file writes a configuration file and gives its path.
func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "twinlatch.toml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func load(t *testing.T, src config.Source) *config.Config {
	t.Helper()
	c, err := config.Load(src)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func prefixes(texts ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, s := range texts {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}

func field(c *config.Config, key string) any {
	switch key {
	case "listen":
		return c.Listen
	case "address":
		return c.Address.String()
	case "database":
		return c.Database.Reveal()
	case "keys":
		return c.Keys
	case "proxies":
		return c.Proxies
	case "sign_up":
		return c.SignUp
	case "policy.profile":
		return c.Policy.IdleFor
	case "policy.code_every":
		return c.Policy.CodeEvery
	case "policy.bind_ip":
		return c.Policy.BindIP
	case "policy.ipv6_prefix":
		return c.Policy.IPv6Prefix
	case "log.level":
		return c.LogLevel
	case "webauthn.id":
		return c.WebAuthn.ID
	case "webauthn.origins":
		return c.WebAuthn.Origins
	case "webauthn.user_verification":
		return c.WebAuthn.UserVerification
	case "webauthn.models":
		return c.WebAuthn.Models
	case "yubico.validate":
		return c.Yubico.Validate
	case "yubico.servers":
		return c.Yubico.Servers
	case "yubico.id":
		return c.Yubico.ID
	case "yubico.secret":
		return c.Yubico.Secret.Reveal()
	case "mail.host":
		return c.Mail.Host
	case "mail.tls":
		return c.Mail.TLS
	case "mail.user":
		return c.Mail.User
	case "mail.password":
		return c.Mail.Password.Reveal()
	case "mail.from":
		return c.Mail.From
	case "mail.helo":
		return c.Mail.Helo
	case "forward_auth.rules":
		return c.ForwardAuth.Rules
	case "forward_auth.cookie_domain":
		return c.ForwardAuth.CookieDomain
	case "forward_auth.remote_user":
		return c.ForwardAuth.IDs
	}
	return textField(c, key)
}

type example struct {
	text, toml string
	want       any
}

// examples is a value of each setting that is not its default, as text and in
// the file, and what it becomes.
var examples = map[string]example{
	"listen":             {"127.0.0.1:9090", `"127.0.0.1:9090"`, "127.0.0.1:9090"},
	"address":            {"https://id.example.com", `"https://id.example.com"`, "https://id.example.com"},
	"database":           {"postgres://u:p@db/twinlatch", `"postgres://u:p@db/twinlatch"`, "postgres://u:p@db/twinlatch"},
	"keys":               {"/etc/twinlatch/keys", `"/etc/twinlatch/keys"`, "/etc/twinlatch/keys"},
	"proxies":            {"10.0.0.0/8, 192.0.2.1", `["10.0.0.0/8", "192.0.2.1"]`, prefixes("10.0.0.0/8", "192.0.2.1/32")},
	"sign_up":            {"closed", `"closed"`, false},
	"policy.profile":     {"aal2", `"aal2"`, time.Hour},
	"policy.code_every":  {"1d12h", `"1d12h"`, 36 * time.Hour},
	"policy.bind_ip":     {"subnet", `"subnet"`, twinlatch.SameSubnet},
	"policy.ipv6_prefix": {"128", "128", 128},
	"log.level":          {"debug", `"debug"`, slog.LevelDebug},

	"webauthn.id":                {"example.com", `"example.com"`, "example.com"},
	"webauthn.origins":           {"https://a.example.com,https://b.example.com", `["https://a.example.com", "https://b.example.com"]`, []string{"https://a.example.com", "https://b.example.com"}},
	"webauthn.user_verification": {"required", `"required"`, "required"},
	"webauthn.models":            {"cb69481e-8ff7-4039-93ec-0a2729a154a8", `["cb69481e-8ff7-4039-93ec-0a2729a154a8"]`, []string{"cb69481e-8ff7-4039-93ec-0a2729a154a8"}},

	"mail.host":     {"smtp.example.com:25", `"smtp.example.com:25"`, "smtp.example.com:25"},
	"mail.tls":      {"none", `"none"`, "none"},
	"mail.user":     {"mailer", `"mailer"`, "mailer"},
	"mail.password": {"p ss", `"p ss"`, "p ss"},
	"mail.from":     {"Example <noreply@example.com>", `"Example <noreply@example.com>"`, "Example <noreply@example.com>"},
	"mail.helo":     {"id.example.com", `"id.example.com"`, "id.example.com"},

	"forward_auth.rules":         {"https://h.example/ deny, https://i.example/ signed-in group=a", `["https://h.example/ deny", "https://i.example/ signed-in group=a"]`, []string{"https://h.example/ deny", "https://i.example/ signed-in group=a"}},
	"forward_auth.cookie_domain": {"localhost", `"localhost"`, "localhost"},
	"forward_auth.remote_user":   {"id", `"id"`, true},

	"yubico.validate": {"off", `"off"`, ""},
	"yubico.servers":  {"https://a.example/verify, https://b.example/verify", `["https://a.example/verify", "https://b.example/verify"]`, []string{"https://a.example/verify", "https://b.example/verify"}},
	"yubico.id":       {"12345", "12345", "12345"},
	"yubico.secret":   {"bm90IGEgc2VjcmV0", `"bm90IGEgc2VjcmV0"`, "bm90IGEgc2VjcmV0"},
}

func TestEachSettingFromEachSource(t *testing.T) {
	for _, s := range config.Settings() {
		x, ok := examples[s.Key]
		if strings.HasPrefix(s.Key, "text.") {
			x, ok = textExamples[s.Key]
		}
		if !ok {
			t.Errorf("setting %s has no example", s.Key)
			continue
		}
		valueFile := file(t, x.text+"\n")
		sources := map[string]config.Source{
			"file":             {File: file(t, s.Key+" = "+x.toml)},
			"file, text":       {File: file(t, fmt.Sprintf("%s = %q", s.Key, x.text))},
			"environment":      {Env: []string{s.Env() + "=" + x.text, "HOME=/root"}},
			"environment file": {Env: []string{s.Env() + "_FILE=" + valueFile}},
		}
		if s.Flag {
			sources["flag"] = config.Source{Flags: map[string]string{s.Key: x.text}}
		}
		for name, src := range sources {
			t.Run(s.Key+" from "+name, func(t *testing.T) {
				src.Dev = true // so that nothing else is required
				if s.Key == "forward_auth.rules" {
					src.Env = append(src.Env, "TWINLATCH_PROXIES=127.0.0.1")
				}
				if s.Key == "mail.host" {
					src.Env = append(src.Env, "TWINLATCH_MAIL_FROM=noreply@example.com")
				}
				if got := field(load(t, src), s.Key); !reflect.DeepEqual(got, x.want) {
					t.Errorf("got %v, want %v", got, x.want)
				}
			})
		}
		if !s.Flag {
			if _, err := config.Load(config.Source{Dev: true, Flags: map[string]string{s.Key: x.text}}); err == nil {
				t.Errorf("setting %s was taken from a flag", s.Key)
			}
		}
	}
}

func TestPrecedence(t *testing.T) {
	src := config.Source{File: file(t, `listen = "localhost:1"`), Dev: true}
	want := func(port string) {
		t.Helper()
		if got := load(t, src).Listen; got != "localhost:"+port {
			t.Errorf("got %s, want port %s", got, port)
		}
	}
	want("1")
	src.Env = []string{"TWINLATCH_LISTEN=localhost:2"}
	want("2")
	src.Flags = map[string]string{"listen": "localhost:3"}
	want("3")
	src.Env = []string{"TWINLATCH_LISTEN_FILE=" + file(t, "localhost:4")}
	want("3")
	src.Flags = nil
	want("4")
}

func TestDefaults(t *testing.T) {
	t.Chdir(t.TempDir())
	c := load(t, config.Source{Dev: true})
	if c.Listen != "localhost:8080" || c.Address.String() != "http://localhost:8080" ||
		c.Database.Reveal() != "sqlite:var/twinlatch.db" || c.Keys != "var/keys" ||
		c.Proxies != nil || c.LogLevel != slog.LevelInfo || !c.Dev {
		t.Errorf("defaults %+v", c)
	}
	if c.Policy != twinlatch.DefaultPolicy() {
		t.Errorf("policy %+v", c.Policy)
	}
}

func TestFileInWorkingDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("twinlatch.toml", []byte("address = 'https://id.example.com'\n[policy]\nbind_ip = 'off'"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := load(t, config.Source{})
	if c.Address.String() != "https://id.example.com" || c.Policy.BindIP != twinlatch.AnyIP {
		t.Errorf("got %+v", c)
	}
}

func TestProfile(t *testing.T) {
	aal2 := twinlatch.AAL2()
	strict := aal2
	strict.CodeEvery, strict.BindIP = time.Hour, twinlatch.SameSubnet
	longest := twinlatch.DefaultPolicy()
	longest.CodeEvery = longest.SessionFor
	lax := aal2
	lax.CodeEvery = 30 * 24 * time.Hour
	for text, want := range map[string]twinlatch.Policy{
		"":                   twinlatch.DefaultPolicy(),
		"profile = 'none'":   twinlatch.DefaultPolicy(),
		"code_every = '90d'": longest,
		"profile = 'aal2'":   aal2,
		"bind_ip = 'subnet'\ncode_every = '1h'\nprofile = 'aal2'": strict, // whatever the order
		"profile = 'aal2'\ncode_every = '30d'":                    lax,    // the default's value, but given
	} {
		if got := load(t, config.Source{Dev: true, File: file(t, "[policy]\n"+text)}).Policy; got != want {
			t.Errorf("%q: got %+v, want %+v", text, got, want)
		}
	}
	// The profile may come from a weaker source than what changes it.
	c := load(t, config.Source{Dev: true, File: file(t, "policy.code_every = '1h'"), Env: []string{"TWINLATCH_POLICY_PROFILE=aal2"}})
	if c.Policy.CodeEvery != time.Hour || c.Policy.IdleFor != time.Hour {
		t.Errorf("policy %+v", c.Policy)
	}
}

func TestAddressInDevelopment(t *testing.T) {
	for listen, want := range map[string]string{
		"localhost:8080":   "http://localhost:8080",
		"127.0.0.1:8090":   "http://127.0.0.1:8090",
		"127.8.8.8:1":      "http://127.8.8.8:1",
		"[::1]:8080":       "http://[::1]:8080",
		"localhost:80":     "http://localhost",
		"[::1]:80":         "http://[::1]",
		"localhost:0":      "http://localhost:4711",
		"[::1]:0":          "http://[::1]:4711",
		"[::ffff:7f00:1]:": "",
	} {
		c, err := config.Load(config.Source{Dev: true, Flags: map[string]string{"listen": listen}})
		if err != nil {
			if want != "" {
				t.Errorf("%s: %v", listen, err)
			}
			continue
		}
		if strings.HasSuffix(listen, ":0") {
			c.Listening(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711})
		}
		if got := c.Address.String(); got != want {
			t.Errorf("%s: got %s, want %s", listen, got, want)
		}
	}
}

func TestListeningChangesNoGivenAddress(t *testing.T) {
	at := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711}
	for _, src := range []config.Source{
		{Dev: true, Flags: map[string]string{"address": "https://id.example.com"}},
		{Flags: map[string]string{"address": "https://id.example.com"}},
	} {
		c := load(t, src)
		if c.Listening(at); c.Address.String() != "https://id.example.com" {
			t.Errorf("got %s", c.Address)
		}
	}
}

func TestAddressIsWrittenAsBrowsersDo(t *testing.T) {
	for text, want := range map[string]string{
		"https://id.example.com/":     "https://id.example.com",
		"HTTPS://ID.Example.COM":      "https://id.example.com",
		"https://id.example.com:443":  "https://id.example.com",
		"https://id.example.com:443/": "https://id.example.com",
		"https://id.example.com:80":   "https://id.example.com:80",
		"https://id.example.com:8443": "https://id.example.com:8443",
		"https://xn--bcher-kva.ch":    "https://xn--bcher-kva.ch",
		"https://192.0.2.1:8443":      "https://192.0.2.1:8443",
		"https://[2001:DB8:0::1]":     "https://[2001:db8::1]",
		"http://localhost:80":         "http://localhost",
		"http://127.0.0.1:8080":       "http://127.0.0.1:8080",
		"http://127.9.9.9":            "http://127.9.9.9",
		"http://[::1]:8080":           "http://[::1]:8080",
	} {
		c, err := config.Load(config.Source{Flags: map[string]string{"address": text}})
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := c.Address.String(); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestProxies(t *testing.T) {
	for text, want := range map[string][]netip.Prefix{
		"":                        nil,
		" ":                       nil,
		"192.0.2.7":               prefixes("192.0.2.7/32"),
		"2001:db8::1":             prefixes("2001:db8::1/128"),
		"::1,127.0.0.1":           prefixes("::1/128", "127.0.0.1/32"),
		" 10.0.0.0/8 ,fc00::/7":   prefixes("10.0.0.0/8", "fc00::/7"),
		"::ffff:192.0.2.1":        prefixes("192.0.2.1/32"),
		"::ffff:10.0.0.0/104":     prefixes("10.0.0.0/8"),
		"0.0.0.0/1":               prefixes("0.0.0.0/1"),
		"0.0.0.0/1,128.0.0.0/2":   prefixes("0.0.0.0/1", "128.0.0.0/2"),
		"10.0.0.0/8,10.0.0.0/8":   prefixes("10.0.0.0/8", "10.0.0.0/8"),
		"2000::/4":                prefixes("2000::/4"),
		"2001:db8::/32, 10.1.2.3": prefixes("2001:db8::/32", "10.1.2.3/32"),
	} {
		c, err := config.Load(config.Source{Dev: true, Env: []string{"TWINLATCH_PROXIES=" + text}})
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if !reflect.DeepEqual(c.Proxies, want) {
			t.Errorf("%q: got %v, want %v", text, c.Proxies, want)
		}
	}
	for _, text := range []string{
		"0.0.0.0/0", "::/0", "10.0.0.0/8,::/0",
		"0.0.0.0/1,128.0.0.0/1", "128.0.0.0/1, 192.0.2.1, 0.0.0.0/1", "::/1,8000::/1",
		"0.0.0.0/2,64.0.0.0/2,128.0.0.0/2,192.0.0.0/2",
		"::ffff:0.0.0.0/96", "::ffff:0.0.0.0/97,128.0.0.0/1",
		"0.0.0.0/1,128.0.0.0/2,192.0.0.0/3", // all but multicast and reserved
		"2000::/3", "2000::/4,3000::/4",     // all that is routed
	} {
		_, err := config.Load(config.Source{Dev: true, Env: []string{"TWINLATCH_PROXIES=" + text}})
		if err == nil || !strings.Contains(err.Error(), "covers all addresses") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestProxiesRandomly cuts all addresses into networks: together they are
// refused, and without one that matters they are a list as any other.
func TestProxiesRandomly(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		list := prefixes("0.0.0.0/0")
		if random.IntN(2) == 0 {
			list = prefixes("::/0")
		}
		for range random.IntN(60) {
			i := random.IntN(len(list))
			if p := list[i]; p.Bits() < p.Addr().BitLen() {
				raw := p.Addr().AsSlice()
				raw[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
				upper, _ := netip.AddrFromSlice(raw)
				list[i] = netip.PrefixFrom(p.Addr(), p.Bits()+1)
				list = append(list, netip.PrefixFrom(upper, p.Bits()+1))
			}
		}
		random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		accepts := func(list []netip.Prefix) bool {
			var texts []string
			for _, p := range list {
				texts = append(texts, p.String())
			}
			_, err := config.Read(config.Source{Env: []string{"TWINLATCH_PROXIES=" + strings.Join(texts, ",")}})
			return err == nil
		}
		if accepts(list) {
			t.Fatalf("seed %d: accepted %v", seed, list)
		}
		i := slices.IndexFunc(list, func(p netip.Prefix) bool {
			return p.Overlaps(netip.MustParsePrefix("198.51.100.0/24")) || p.Overlaps(netip.MustParsePrefix("2001:db8::/32"))
		})
		if rest := slices.Delete(slices.Clone(list), i, i+1); !accepts(rest) {
			t.Fatalf("seed %d: refused %v", seed, rest)
		}
	}
}

func TestPodWithServiceNamedTwinlatch(t *testing.T) {
	links := []string{
		"TWINLATCH_SERVICE_HOST=10.0.0.11", "TWINLATCH_SERVICE_PORT=8080", "TWINLATCH_SERVICE_PORT_HTTP=8080",
		"TWINLATCH_PORT=tcp://10.0.0.11:8080", "TWINLATCH_PORT_8080_TCP=tcp://10.0.0.11:8080",
		"TWINLATCH_PORT_8080_TCP_PROTO=tcp", "TWINLATCH_PORT_8080_TCP_PORT=8080", "TWINLATCH_PORT_8080_TCP_ADDR=10.0.0.11",
		"TWINLATCH_DB_SERVICE_HOST=10.0.0.12", "TWINLATCH_DB_PORT=tcp://10.0.0.12:5432",
	}
	pod := "KUBERNETES_SERVICE_HOST=10.0.0.1"
	load(t, config.Source{Dev: true, Env: append(links, pod)})
	for _, l := range links {
		if _, err := config.Load(config.Source{Dev: true, Env: []string{l}}); err == nil {
			t.Errorf("%s was passed over outside a pod", l)
		}
	}
	for _, l := range []string{"TWINLATCH_PORT=8080", "TWINLATCH_LISTN=localhost:1"} {
		if _, err := config.Load(config.Source{Dev: true, Env: []string{l, pod}}); err == nil {
			t.Errorf("%s was passed over in a pod", l)
		}
	}
}

func TestReadNeedsNoAddress(t *testing.T) {
	c, err := config.Read(config.Source{Flags: map[string]string{"keys": "k"}})
	if err != nil || c.Keys != "k" || c.Address != nil {
		t.Errorf("got %+v, %v", c, err)
	}
}

// TestTable keeps names apart and the rows complete.
func TestTable(t *testing.T) {
	names := map[string]bool{}
	for _, s := range config.Settings() {
		if s.Key == "" || s.Help == "" || strings.Contains(s.Help, "\n") || !strings.HasSuffix(s.Help, ".") {
			if s.Key != "database" {
				t.Errorf("row %+v is not complete", s)
			}
		}
		for _, name := range []string{s.Key, s.Env(), s.Env() + "_FILE"} {
			if names[name] {
				t.Errorf("%s means two settings", name)
			}
			names[name] = true
		}
	}
}
