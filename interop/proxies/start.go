package proxies

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const patience = 20 * time.Second // for a proxy to start or to answer

// The apps are known by these names, and Twinlatch by the last one; the proxies' port
// is behind them.
const (
	wikiHost  = "wiki.localhost"
	filesHost = "files.other.localhost"
	idHost    = "localhost"
)

// Kind is a proxy of other people.
type Kind struct {
	Name  string
	needs []tool
	// launch runs it on p.address with its files of docs/forward-auth.
	launch func(t *testing.T, p *Proxy)
	tls    bool
}

// NginxTLS is nginx as it is in the world: over TLS, with names that have nothing to
// do with each other.
var NginxTLS = Kind{"nginx over TLS", Kinds[0].needs, startNginx, true}

// tool is a file, or a command in PATH, and the Debian package it is in.
type tool struct{ path, debian string }

// Kinds are all that are tested.
var Kinds = []Kind{
	{"nginx", []tool{{"nginx", "nginx"}}, startNginx, false},
	{"caddy", []tool{{"caddy", "caddy"}}, startCaddy, false},
	{"haproxy", []tool{{"haproxy", "haproxy"}}, startHAProxy, false},
	{"apache", []tool{{"apache2", "apache2"}, {"/usr/lib/apache2/modules/mod_lua.so", "apache2"}, {"/usr/share/lua/5.3/socket/http.lua", "lua-socket"}}, startApache, false},
}

// Proxy is a running one, with two apps and Twinlatch behind it.
type Proxy struct {
	address     string // where it listens, HOST:PORT
	twinlatch   string // whom it asks, HOST:PORT
	wiki, files *app
	dir         string
	tls         bool // with names of its own, see NginxTLS
}

// names are those of Twinlatch and of the apps.
func (p *Proxy) names() (id, wiki, files string) {
	if p.tls {
		return "id.example.test", "wiki.example.test", "shop.other.test"
	}
	return idHost, wikiHost, filesHost
}

// host is what a browser sends for the app called name.
func (p *Proxy) host(name string) string {
	_, port, _ := net.SplitHostPort(p.address)
	return net.JoinHostPort(name, port)
}

// start runs a proxy that asks whoever listens at twinlatch (HOST:PORT), until
// the test ends.
func (k Kind) start(t *testing.T, twinlatch string) *Proxy {
	t.Helper()
	return k.startAt(t, freeAddress(t), twinlatch)
}

func (k Kind) startAt(t *testing.T, address, twinlatch string) *Proxy {
	t.Helper()
	needTools(t, k.needs)
	p := &Proxy{address: address, twinlatch: twinlatch, wiki: newApp(t, "wiki"), files: newApp(t, "files"), dir: t.TempDir(), tls: k.tls}
	k.launch(t, p)
	return p
}

// onEach runs a test with each proxy.
func onEach(t *testing.T, test func(t *testing.T, k Kind)) {
	for _, k := range Kinds {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			test(t, k)
		})
	}
}

func needTools(t *testing.T, tools []tool) {
	t.Helper()
	var missing []string
	for _, tool := range tools {
		if _, err := command(tool.path); err != nil {
			missing = append(missing, tool.debian)
		}
	}
	if missing != nil {
		t.Fatalf("please install: %s (names of Debian's packages)", strings.Join(missing, " "))
	}
}

// command finds a program also where only root looks.
func command(name string) (string, error) {
	if filepath.IsAbs(name) {
		_, err := os.Stat(name)
		return name, err
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/" + name)
}

// documented is the path of a file that operators are told to use.
func documented(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(moduleRoot(t), "docs", "forward-auth", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// shown is the first block of a language in a document.
func shown(t *testing.T, document, language string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", document))
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(text), "```"+language+"\n")
	block, _, closed := strings.Cut(block, "```\n")
	if !found || !closed {
		t.Fatalf("%s shows no %s", document, language)
	}
	return block
}

// moduleRoot is the folder with go.mod. Tests run in that of their package.
func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("there is no go.mod above this test")
		}
	}
	t.Fatal(err)
	return ""
}

// block is the first of blockSize ports that this process has for itself, because it listens at
// the first as long as it lives: another one that looks for a free port would answer in the
// place of a proxy. They are below those that systems hand out by themselves.
var block = sync.OnceValues(func() (first int, held net.Listener) {
	for first = 20_000; first < 30_000; first += blockSize {
		if l, err := listenAt(first); err == nil {
			return first, l
		}
	}
	return 0, nil
})

const blockSize = 500

var ports = new(atomic.Uint32)

func listenAt(port int) (net.Listener, error) {
	return net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
}

// freeAddress is one where nobody listens, for who cannot be handed a listener.
func freeAddress(t *testing.T) string {
	t.Helper()
	first, held := block()
	for range blockSize {
		if held == nil {
			break
		}
		address := fmt.Sprintf("127.0.0.1:%d", first+1+int(ports.Add(1))%(blockSize-1))
		if isFree(address) {
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

// isFree asks whether somebody answers. To listen there and stop would be no way to find out: a
// process that is started at that moment goes on listening until it runs its own program, and the
// proxy that was to listen there cannot.
func isFree(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return true
	}
	conn.Close()
	return false
}

// write puts a file into the proxy's folder.
func (p *Proxy) write(t *testing.T, name, format string, args ...any) string {
	t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// output is what a process printed so far.
type output struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}

// run starts a program in the foreground and returns when it accepts
// connections. It and its children end with the test, and what they said is
// shown if that failed.
func (p *Proxy) run(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	path, err := command(name)
	if err != nil {
		t.Fatal(err)
	}
	said := new(output)
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, said, said
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "TWINLATCH=" + p.twinlatch}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
		if t.Failed() {
			t.Logf("%s said:\n%s", name, said)
		}
	})
	tick, late := time.NewTicker(10*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for {
		if conn, err := net.Dial("tcp", p.address); err == nil {
			conn.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("%s ended", name)
		case <-late:
			t.Fatalf("%s does not listen at %s", name, p.address)
		case <-tick.C:
		}
	}
}
