package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch/config"
)

// Each row is one slip and the line that answers it. FILE is the path of the
// configuration file, VALUE that of a file named by an environment name.
func TestErrors(t *testing.T) {
	t.Chdir(t.TempDir())
	const (
		wantDuration = "want a duration such as 30d, 12h or 1d12h (d, h, m, s)"
		wantOrigin   = "want an absolute URL, for instance https://id.example.com"
		wantBare     = "want scheme and host only, without path, query or fragment"
		wantHost     = "the host is not a name; write international names as xn--…"
		wantPort     = "the port is not a number from 1 to 65535"
		onlyLoopback = "development mode listens on loopback only (localhost, 127.0.0.1, [::1]); leave out --dev to listen elsewhere"
		noCookies    = "cookies are not protected without https; http is for localhost, 127.0.0.1 and [::1] only"
		coversAll    = "covers all addresses: anybody could then choose the address we see, and a stolen session would pass from anywhere; list your proxies only"
		wantPostgres = "want postgres://user:password@host/name; escape special characters with %"
	)
	for _, c := range []struct{ file, env, flag, want string }{
		// unknown names
		{file: `lisen = "x"`, want: "unknown setting lisen in FILE; the nearest known one is listen"},
		{file: "[policy]\ncode_evry = '1d'", want: "unknown setting policy.code_evry in FILE; the nearest known one is policy.code_every"},
		{file: "[polcy]\ncode_every = '1d'", want: "unknown setting polcy.code_every in FILE; the nearest known one is policy.code_every"},
		{file: "[polcy]", want: "unknown setting polcy in FILE; twinlatch serve --help lists the settings"},
		{file: "[[policy]]\nbind_ip = 'off'", want: "policy in FILE is a table of settings: write [policy]"},
		{file: `code_every = "1d"`, want: "unknown setting code_every in FILE; the nearest known one is policy.code_every"},
		{env: "TWINLATCH_CODE_EVERY=1d", want: "unknown setting TWINLATCH_CODE_EVERY in the environment; the nearest known one is TWINLATCH_POLICY_CODE_EVERY"},
		{file: `"a\nb" = 1`, want: `unknown setting "a\nb" in FILE; twinlatch serve --help lists the settings`},
		{file: "dev = true", want: "unknown setting dev in FILE; twinlatch serve --help lists the settings"},
		{env: "TWINLATCH_LISTN=x", want: "unknown setting TWINLATCH_LISTN in the environment; the nearest known one is TWINLATCH_LISTEN"},
		{env: "TWINLATCH_DEV=1", want: "unknown setting TWINLATCH_DEV in the environment; twinlatch serve --help lists the settings"},
		{env: "TWINLATCH_LISTEN_FILE_FILE=x", want: "unknown setting TWINLATCH_LISTEN_FILE_FILE in the environment; twinlatch serve --help lists the settings"},
		{env: "TWINLATCH_listen=x", want: "unknown setting TWINLATCH_listen in the environment; the nearest known one is TWINLATCH_LISTEN"},

		// the file itself
		{file: "listen = ", want: "FILE line 1, column 9: toml: expected value, not end of input"},
		{file: "listen = 'a'\nlisten = 'b'", want: "FILE line 2, column 1: toml: key listen is already defined"},
		{flag: "config=absent.toml", want: "configuration file FILE: no such file or directory"},
		{flag: "config=/tmp", want: "configuration file FILE: is a directory"},
		{file: "listen = true", want: "setting listen from FILE: want text in quotes"},
		{file: "listen = 1.5", want: "setting listen from FILE: want text in quotes"},
		{file: "listen = 1979-05-27", want: "setting listen from FILE: want text in quotes"},
		{file: "listen = ['localhost:1']", want: "setting listen from FILE: want one value, not an array"},
		{file: "[listen]\na = 1", want: "setting listen from FILE: want a value, not a table"},
		{file: "proxies = [1]", want: "setting proxies from FILE: want an array of text in quotes"},
		{file: "'policy.bind_ip' = 'off'\n[policy]\nbind_ip = 'same'", want: "setting policy.bind_ip is in FILE twice"},

		// the environment
		{env: "TWINLATCH_KEYS_FILE=absent", want: "setting keys from TWINLATCH_KEYS_FILE, file absent: no such file or directory"},
		{env: "TWINLATCH_KEYS=a TWINLATCH_KEYS_FILE=b", want: "setting keys is set by both TWINLATCH_KEYS and TWINLATCH_KEYS_FILE; keep one"},
		{env: "TWINLATCH_LISTEN_FILE=VALUE", want: "setting listen from TWINLATCH_LISTEN_FILE: want host:port, for instance localhost:8080"},

		// listen
		{flag: "listen=8080", want: `setting listen from --listen is "8080": want host:port, for instance localhost:8080`},
		{env: "TWINLATCH_LISTEN=", want: `setting listen from TWINLATCH_LISTEN is "": want host:port, for instance localhost:8080`},
		{flag: "listen=localhost:http", want: `setting listen from --listen is "localhost:http": the port is not a number from 0 to 65535`},
		{flag: "listen=localhost:65536", want: `setting listen from --listen is "localhost:65536": the port is not a number from 0 to 65535`},
		{flag: "listen=a_b:1", want: `setting listen from --listen is "a_b:1": the host is neither a name nor an IP address`},
		{flag: "listen=0.0.0.0:8080 dev", want: `setting listen from --listen is "0.0.0.0:8080": ` + onlyLoopback},
		{flag: "listen=:8080 dev", want: `setting listen from --listen is ":8080": ` + onlyLoopback},
		{flag: "listen=[::]:8080 dev", want: `setting listen from --listen is "[::]:8080": ` + onlyLoopback},
		{env: "TWINLATCH_LISTEN=192.0.2.1:80", flag: "dev", want: `setting listen from TWINLATCH_LISTEN is "192.0.2.1:80": ` + onlyLoopback},
		{file: "listen = 'localhost.example.com:80'", flag: "dev", want: `setting listen from FILE is "localhost.example.com:80": ` + onlyLoopback},

		// address
		{want: "setting address is missing: give the public URL, for instance --address https://id.example.com, or use --dev to try Twinlatch on this machine"},
		{flag: "address=id.example.com", want: `setting address from --address is "id.example.com": ` + wantOrigin},
		{flag: "address=//id.example.com", want: `setting address from --address is "//id.example.com": ` + wantOrigin},
		{flag: "address=ftp://id.example.com", want: `setting address from --address is "ftp://id.example.com": ` + wantOrigin},
		{flag: "address=https:id.example.com", want: `setting address from --address is "https:id.example.com": ` + wantOrigin},
		{flag: "address=https://a:b@id.example.com", want: `setting address from --address is "https://a:b@id.example.com": a URL with a user or password in it is not an address`},
		{flag: "address=https://id.example.com/x", want: `setting address from --address is "https://id.example.com/x": ` + wantBare},
		{flag: "address=https://id.example.com//", want: `setting address from --address is "https://id.example.com//": ` + wantBare},
		{flag: "address=https://id.example.com?", want: `setting address from --address is "https://id.example.com?": ` + wantBare},
		{flag: "address=https://id.example.com#", want: `setting address from --address is "https://id.example.com#": ` + wantBare},
		{flag: "address=https://", want: `setting address from --address is "https://": ` + wantHost},
		{flag: "address=https://id.example.com.", want: `setting address from --address is "https://id.example.com.": ` + wantHost},
		{flag: "address=https://bücher.example", want: `setting address from --address is "https://bücher.example": ` + wantHost},
		{flag: "address=https://[fe80::1%25eth0]", want: `setting address from --address is "https://[fe80::1%25eth0]": ` + wantHost},
		{flag: "address=https://id.example.com:0", want: `setting address from --address is "https://id.example.com:0": ` + wantPort},
		{flag: "address=https://id.example.com:65536", want: `setting address from --address is "https://id.example.com:65536": ` + wantPort},
		{flag: "address=http://id.example.com", want: `setting address from --address is "http://id.example.com": ` + noCookies},
		{flag: "address=http://127.0.0.1.example.com", want: `setting address from --address is "http://127.0.0.1.example.com": ` + noCookies},

		// database: never shown
		{env: "TWINLATCH_DATABASE=mysql://root:hunter2@db", want: "setting database from TWINLATCH_DATABASE: want sqlite:PATH or postgres://…"},
		{flag: "database=sqlite:", want: "setting database from --database: want sqlite:PATH or postgres://…"},
		{flag: "database=postgres:x", want: "setting database from --database: " + wantPostgres},
		{file: "database = 'postgres://u:hunter2%@db/x'", want: "setting database from FILE: " + wantPostgres},

		// keys
		{env: "TWINLATCH_KEYS=", want: `setting keys from TWINLATCH_KEYS is "": want the path of the key file`},
		{env: "TWINLATCH_KEYS_FILE=VALUE", want: "setting keys from TWINLATCH_KEYS_FILE: want the path of the key file"},

		// proxies
		{env: "TWINLATCH_PROXIES=0.0.0.0/0", want: `setting proxies from TWINLATCH_PROXIES is "0.0.0.0/0": ` + coversAll},
		{file: "proxies = ['10.0.0.0/8', 'proxy.internal']", want: `setting proxies from FILE is "10.0.0.0/8,proxy.internal": "proxy.internal" is neither an address nor a network such as 10.0.0.0/8`},
		{env: "TWINLATCH_PROXIES=10.0.0.1,", want: `setting proxies from TWINLATCH_PROXIES is "10.0.0.1,": "" is neither an address nor a network such as 10.0.0.0/8`},
		{env: "TWINLATCH_PROXIES=fe80::1%eth0", want: `setting proxies from TWINLATCH_PROXIES is "fe80::1%eth0": "fe80::1%eth0" is neither an address nor a network such as 10.0.0.0/8`},
		{env: "TWINLATCH_PROXIES=10.0.0.1/8", want: `setting proxies from TWINLATCH_PROXIES is "10.0.0.1/8": "10.0.0.1/8" has bits after its network; write 10.0.0.0/8 or 10.0.0.1`},
		{env: "TWINLATCH_PROXIES=10.0.0.0/33", want: `setting proxies from TWINLATCH_PROXIES is "10.0.0.0/33": "10.0.0.0/33" is neither an address nor a network such as 10.0.0.0/8`},

		// policy
		{env: "TWINLATCH_SIGN_UP=no", want: `setting sign_up from TWINLATCH_SIGN_UP is "no": want open or closed`},
		{env: "TWINLATCH_POLICY_PROFILE=aal3", want: `setting policy.profile from TWINLATCH_POLICY_PROFILE is "aal3": want none or aal2`},
		{file: "policy.code_every = '30'", want: `setting policy.code_every from FILE is "30": ` + wantDuration},
		{file: "policy.code_every = 30", want: `setting policy.code_every from FILE is "30": ` + wantDuration},
		{env: "TWINLATCH_POLICY_CODE_EVERY=-1d", want: `setting policy.code_every from TWINLATCH_POLICY_CODE_EVERY is "-1d": ` + wantDuration},
		{env: "TWINLATCH_POLICY_CODE_EVERY=0d", want: `setting policy.code_every from TWINLATCH_POLICY_CODE_EVERY is "0d": must be longer than zero`},
		{env: "TWINLATCH_POLICY_CODE_EVERY=90d1s", want: `setting policy.code_every from TWINLATCH_POLICY_CODE_EVERY is "90d1s": want at most 90d: a session ends then, and the next sign-in asks for a code anyway`},
		{file: "profile = 'aal2'", want: "unknown setting profile in FILE; the nearest known one is policy.profile"},
		{file: "[tls]\ncertificate_file = 'x'", want: "unknown setting tls.certificate_file in FILE; twinlatch serve --help lists the settings"},
		{env: "TWINLATCH_POLICY_CODE_EVERY=106752d", want: `setting policy.code_every from TWINLATCH_POLICY_CODE_EVERY is "106752d": longer than 292 years`},
		{env: "TWINLATCH_POLICY_BIND_IP=no", want: `setting policy.bind_ip from TWINLATCH_POLICY_BIND_IP is "no": want same, subnet or off`},
		{file: "policy.ipv6_prefix = 0", want: `setting policy.ipv6_prefix from FILE is "0": want a number from 1 to 128`},
		{file: "policy.ipv6_prefix = 129", want: `setting policy.ipv6_prefix from FILE is "129": want a number from 1 to 128`},
		{file: "policy.ipv6_prefix = -64", want: `setting policy.ipv6_prefix from FILE is "-64": want a number from 1 to 128`},
		{env: "TWINLATCH_POLICY_IPV6_PREFIX=/64", want: `setting policy.ipv6_prefix from TWINLATCH_POLICY_IPV6_PREFIX is "/64": want a number from 1 to 128`},

		// log
		{env: "TWINLATCH_LOG_LEVEL=INFO", want: `setting log.level from TWINLATCH_LOG_LEVEL is "INFO": want debug, info, warn or error`},
		{env: "TWINLATCH_LOG_LEVEL=" + strings.Repeat("x", 100), want: `setting log.level from TWINLATCH_LOG_LEVEL is "` + strings.Repeat("x", 80) + `"…: want debug, info, warn or error`},
	} {
		name := fmt.Sprint(c.file, c.env, c.flag)
		t.Run(strings.ReplaceAll(name, "hunter2", "…"), func(t *testing.T) {
			var src config.Source
			if c.file != "" {
				src.File = file(t, c.file)
			}
			valueFile := filepath.Join(t.TempDir(), "value")
			if err := os.WriteFile(valueFile, []byte("hunter2\nhunter2\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			src.Env = strings.Fields(strings.ReplaceAll(c.env, "VALUE", valueFile))
			for f := range strings.FieldsSeq(c.flag) {
				switch key, value, _ := strings.Cut(f, "="); key {
				case "dev":
					src.Dev = true
				case "config":
					src.File = value
				default:
					if src.Flags == nil {
						src.Flags = map[string]string{}
					}
					src.Flags[key] = value
				}
			}
			_, err := config.Load(src)
			if err == nil {
				t.Fatal("no error")
			}
			got := err.Error()
			if src.File != "" {
				got = strings.ReplaceAll(got, src.File, "FILE")
			}
			if got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
			if strings.Contains(got, "hunter2") || strings.Contains(got, "\n") {
				t.Errorf("shows a password or is no single line: %q", got)
			}
		})
	}
}
