package proxies

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Site is Twinlatch and two apps behind one proxy. People get there by way of a
// network of their own, see Relay.
type Site struct {
	Address     string // of Twinlatch, without a slash at its end
	Wiki, Files string // those of the apps
	Dir         string // where Twinlatch runs, with its settings
	Network     *Relay
	proxy       *Proxy
}

// rules are those of all sites; %[1]s is the wiki, %[2]s are the files.
const rules = `[
  "%[1]s/ second-step",
  "%[1]s/public public",
  "%[1]s/admin second-step within=5m",
  "%[1]s/staff second-step group=staff",
  "%[1]s/closed deny",
  "%[2]s/ signed-in",
]`

// Build makes the program.
func Build(t *testing.T) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "twinlatch")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/twinlatch")
	cmd.Dir, cmd.Stdout, cmd.Stderr = moduleRoot(t), t.Output(), t.Output()
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	return program
}

// Site starts one until the test ends, in development mode but for NginxTLS. settings are lines to
// be among those of forward-auth.
func (k Kind) Site(t *testing.T, program, settings string) *Site {
	t.Helper()
	network, behind := newRelay(t)
	s := &Site{Network: network, Dir: t.TempDir()}
	listen := freeAddress(t)
	s.proxy = k.startAt(t, behind, listen)
	scheme := "http://"
	if s.proxy.tls {
		scheme = "https://"
	}
	id, wiki, files := s.proxy.names()
	s.Address, s.Wiki, s.Files = scheme+s.proxy.host(id), scheme+s.proxy.host(wiki), scheme+s.proxy.host(files)
	s.serve(t, program, listen, settings)
	return s
}

// serve runs Twinlatch. When the test is over it must stop as it was told, and have
// nothing to complain about.
func (s *Site) serve(t *testing.T, program, listen, more string) {
	t.Helper()
	settings := fmt.Sprintf("listen = %q\naddress = %q\nproxies = [\"127.0.0.1\"]\n[forward_auth]\n%s\nrules = ", listen, s.Address, more) +
		fmt.Sprintf(rules, s.Wiki, s.Files)
	if err := os.WriteFile(filepath.Join(s.Dir, "twinlatch.toml"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"serve"}
	if !s.proxy.tls {
		args = append(args, "--dev")
	} else {
		s.Command(t, program, "", "key", "create")
	}
	logFile := filepath.Join(s.Dir, "serve.log")
	log, err := os.Create(logFile)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := s.command(program, args...)
	cmd.Stderr = log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		err := cmd.Wait()
		log, readErr := os.ReadFile(logFile)
		if err := errors.Join(err, readErr); err != nil || strings.Contains(string(log), "level=ERROR") {
			t.Errorf("Twinlatch: %v\n%s", err, log)
		}
	})
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if line, err := bufio.NewReader(stdout).ReadString('\n'); !strings.HasPrefix(line, "Twinlatch is ready at ") {
		said, _ := os.ReadFile(logFile)
		t.Fatalf("Twinlatch said %q (%v)\n%s", line, err, said)
	}
}

func (s *Site) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = s.Dir, []string{"HOME=" + s.Dir, "TMPDIR=" + s.Dir}
	return cmd
}

// Command runs the program beside the server, with its settings.
func (s *Site) Command(t *testing.T, program, input string, args ...string) {
	t.Helper()
	cmd := s.command(program, args...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
}

// newRelay finds a port for a relay at 127.0.0.1, where browsers look for localhost
// and all names below it, and for what is behind it, at 127.0.0.2.
func newRelay(t *testing.T) (relay *Relay, behind string) {
	t.Helper()
	for range 100 {
		_, port, _ := net.SplitHostPort(freeAddress(t))
		behind = net.JoinHostPort("127.0.0.2", port)
		if !isFree(behind) {
			continue
		}
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port)); err == nil {
			return startRelay(t, l, behind), behind
		}
	}
	t.Fatal("no port is free")
	return nil, ""
}
