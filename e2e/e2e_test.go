// Package e2e lets people with a real browser walk every journey, with
// JavaScript and without, look at each page they come by, and weigh it. What
// they do is in *.test.mjs, each with a server of its own; what they saw is in
// artefacts/ afterwards: pictures, contact sheets of them, and weight.json.
package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch/interop/proxies"
)

const (
	patience = 30 * time.Second // for a server to start or stop
	longest  = 15 * time.Minute // for one file of journeys
)

// browser is Chromium without a window: the same engine for two thirds of the work.
const browser = "chromium-headless-shell"

// toApps are journeys to apps behind a proxy: with each, over TLS, and with one cookie for all
// hosts of a domain.
var toApps = append([]trip{
	{"nginx over TLS", proxies.NginxTLS, "forwardtls.test.mjs", ""},
	{"shared cookie", proxies.NginxTLS, "forwardshared.test.mjs", `cookie_domain = "example.test"`},
}, behindEach("forward.test.mjs")...)

type trip struct {
	name           string
	proxy          proxies.Kind
	file, settings string
}

func behindEach(file string) (all []trip) {
	for _, kind := range proxies.Kinds {
		all = append(all, trip{kind.Name, kind, file, ""})
	}
	return all
}

// tools are what Debian calls the packages of the commands that we use.
var tools = [...]struct{ command, debian string }{
	{browser, browser}, {"node", "nodejs"}, {"npm", "npm"}, {"oathtool", "oathtool"}, {"zbarimg", "zbar-tools"},
	{"ykgenerate", "libyubikey-dev"},
}

func TestJourneys(t *testing.T) {
	needTools(t)
	noteSources(t)
	install(t)
	program := proxies.Build(t)
	files, err := filepath.Glob("*.test.mjs")
	if err != nil || len(files) == 0 {
		t.Fatalf("no journeys: %v", err)
	}
	if err := os.RemoveAll("artefacts"); err != nil {
		t.Fatal(err)
	}
	t.Run("walk", func(t *testing.T) {
		for _, file := range files {
			if slices.ContainsFunc(toApps, func(to trip) bool { return to.file == file }) {
				continue
			}
			t.Run(strings.TrimSuffix(file, ".test.mjs"), func(t *testing.T) {
				t.Parallel()
				address, data := serve(t, program)
				node(t, []string{"E2E_ADDRESS=" + address, "E2E_DATA=" + data, "E2E_PROGRAM=" + program}, "--test", "--test-reporter=spec", file)
			})
		}
		for _, to := range toApps {
			t.Run(to.name, func(t *testing.T) {
				t.Parallel()
				site := to.proxy.Site(t, program, to.settings)
				node(t, []string{
					"E2E_ADDRESS=" + site.Address, "E2E_WIKI=" + site.Wiki, "E2E_FILES=" + site.Files, "E2E_NETWORK=" + site.Network.Control,
					"E2E_DATA=" + site.Dir, "E2E_PROGRAM=" + program, "E2E_PROXY=" + to.proxy.Name, "E2E_NAMES=*.test",
				}, "--test", "--test-reporter=spec", to.file)
			})
		}
	})
	t.Run("sheets", func(t *testing.T) { node(t, nil, "sheets.mjs") })
	t.Run("seen", allSeen)
}

// allSeen: there is a picture of each template, at both sizes and in both colour
// schemes. Pictures are called after the template of their page.
func allSeen(t *testing.T) {
	templates, err := filepath.Glob("../pages/templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range templates {
		name := strings.TrimSuffix(filepath.Base(path), ".html")
		if name == "layout" || name == "parts" {
			continue
		}
		for _, variant := range []string{"390-light", "390-dark", "1280-light", "1280-dark"} {
			plain, err := filepath.Glob("artefacts/" + name + "-" + variant + ".png")
			states, err2 := filepath.Glob("artefacts/" + name + "-*-" + variant + ".png")
			if err := errors.Join(err, err2); err != nil {
				t.Fatal(err)
			}
			if len(plain)+len(states) == 0 {
				t.Errorf("no journey looks at %s (%s)", path, variant)
			}
		}
	}
}

func needTools(t *testing.T) {
	t.Helper()
	var missing []string
	for _, tool := range tools {
		if _, err := exec.LookPath(tool.command); err != nil {
			missing = append(missing, tool.debian)
		}
	}
	if missing != nil {
		t.Fatalf("please install: %s (names of Debian's packages)", strings.Join(missing, " "))
	}
}

// noteSources looks at every file of the module, so that the go command knows
// what a cached result of this test depends on: it sees which files a test looks
// at, but not those that the compiler and the browser read for it.
func noteSources(t *testing.T) {
	t.Helper()
	generated := []string{".git", "node_modules", "artefacts", "bin", "var", "results"}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains(generated, entry.Name()):
			return filepath.SkipDir
		case entry.IsDir():
			return nil
		}
		_, err = os.Stat(path)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // somebody is at work
		t.Fatal(err)
	}
}

// install gets the npm packages unless they are there. npm writes its own list
// last, so it is newer than the list that it installed.
func install(t *testing.T) {
	t.Helper()
	want, err := os.Stat("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if have, err := os.Stat("node_modules/.package-lock.json"); err == nil && have.ModTime().After(want.ModTime()) {
		return
	}
	run(t, exec.CommandContext(t.Context(), "npm", "ci", "--loglevel=error"))
}

func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
}

// node runs a program of ours; what it prints is passed on as it comes.
func node(t *testing.T, env []string, args ...string) {
	t.Helper()
	chromium, err := exec.LookPath(browser)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // the browser stops with it
	cmd.WaitDelay = patience
	cmd.Env = append(append(os.Environ(), "E2E_CHROMIUM="+chromium), env...)
	run(t, cmd)
}

// serve starts a server with a database of its own and gives its address and the
// folder that it runs in. It believes what the browsers say about their network. When the test is over it
// must stop as it was told, and have nothing to complain about.
func serve(t *testing.T, program string) (address, dir string) {
	t.Helper()
	dir = t.TempDir()
	logFile := filepath.Join(dir, "serve.log")
	log, err := os.Create(logFile)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(program, "serve", "--dev", "--listen", "127.0.0.1:0")
	cmd.Dir, cmd.Stderr = dir, log
	cmd.Env = []string{
		"HOME=" + dir, "TMPDIR=" + dir, "TWINLATCH_PROXIES=127.0.0.1/32",
		"TWINLATCH_TEXT_SENDERS=webhook", "TWINLATCH_TEXT_WEBHOOK_URL=" + gateway(t), "TWINLATCH_TEXT_WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, cmd, logFile) })
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	address, ready := strings.CutPrefix(strings.TrimSpace(line), "Twinlatch is ready at ")
	if !ready {
		t.Fatalf("the server said %q (%v)", line, err)
	}
	return strings.Replace(address, "127.0.0.1", "localhost", 1), dir // security keys know names only
}

// gateway takes text messages, which development mode keeps for reading as well.
// Numbers that end in 55 get one, and then no more.
func gateway(t *testing.T) (address string) {
	t.Helper()
	var mu sync.Mutex
	got := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Data struct{ To string } }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Errorf("the gateway cannot read: %v", err)
		}
		mu.Lock()
		defer mu.Unlock()
		if to := body.Data.To; got[to] && strings.HasSuffix(to, "55") {
			w.WriteHeader(http.StatusUnprocessableEntity)
		} else {
			got[to] = true
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func stop(t *testing.T, cmd *exec.Cmd, logFile string) {
	t.Helper()
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	_ = cmd.Process.Signal(syscall.SIGTERM) // one that has stopped already tells below
	err := cmd.Wait()
	log, readErr := os.ReadFile(logFile)
	if err := errors.Join(err, readErr); err != nil || strings.Contains(string(log), "level=ERROR") {
		t.Errorf("the server: %v\n%s", err, log)
	}
}
