//go:build unix

package twinlatchtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres returns the URL of a new, empty database that is dropped when the
// test ends. The first call of a process starts a PostgreSQL server of its own
// on the loopback interface, in a temporary folder; it ends when the process
// does, also by SIGKILL, and takes the folder with it.
//
// A machine without PostgreSQL fails the test. The server does not sync its
// files: tests may kill clients, not the server.
func Postgres(t testing.TB) string {
	t.Helper()
	server, err := onlyServer()
	if err != nil {
		t.Fatalf("twinlatchtest: %v", err)
	}
	name := fmt.Sprintf("test%d", server.databases.Add(1))
	if err := server.run(`CREATE DATABASE ` + name + ` TEMPLATE template0`); err != nil {
		t.Fatalf("twinlatchtest: %v", err)
	}
	t.Cleanup(func() {
		if err := server.run(`DROP DATABASE ` + name + ` WITH (FORCE)`); err != nil {
			t.Errorf("twinlatchtest: %v", err)
		}
	})
	return server.url(name)
}

var onlyServer = sync.OnceValues(startServer)

type postgresServer struct {
	port      int
	databases atomic.Int64
	alive     io.Closer // the pipe to the keeper; it ends when this process does
}

func (s *postgresServer) url(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

func (s *postgresServer) run(query string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, query)
	return err
}

// keeper is the shell that starts the server, says so, waits for the end of
// its input, which is the end of our process, and stops the server.
const keeper = `
trap '' INT TERM HUP PIPE
"$1/initdb" -D "$2/data" -A trust -U postgres --no-sync -E UTF8 --locale=C.UTF-8 >>"$2/log" 2>&1 || exit 1
"$1/pg_ctl" -D "$2/data" -w -l "$2/log" -o "-p $3 -c listen_addresses=127.0.0.1 -c unix_socket_directories='' \
	-c max_connections=400 -c shared_buffers=64MB -c fsync=off -c full_page_writes=off" start >>"$2/log" 2>&1 || exit 1
echo ready
read -r _
"$1/pg_ctl" -D "$2/data" -w -m immediate stop
rm -rf "$2"
`

func startServer() (*postgresServer, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	var server *postgresServer
	for range 3 { // somebody may take the free port before the server does
		if server, err = startKeeper(bin); err == nil {
			return server, nil
		}
	}
	return nil, err
}

func startKeeper(bin string) (_ *postgresServer, err error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "twinlatch-postgres-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	sh := exec.Command("/bin/sh", "-c", keeper, "sh", bin, dir, strconv.Itoa(port))
	sh.Dir = dir
	sh.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	sh.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us
	if os.Getuid() == 0 {                                // which PostgreSQL refuses to run as
		if sh.SysProcAttr.Credential, err = giveTo("postgres", dir); err != nil {
			return nil, err
		}
	}
	in, err := sh.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := sh.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := sh.Start(); err != nil {
		return nil, err
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		_ = in.Close()
		_ = sh.Wait()
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		return nil, fmt.Errorf("PostgreSQL does not start:\n%s", log)
	}
	return &postgresServer{port: port, alive: in}, nil
}

// postgresBin is the folder of the newest installed server.
func postgresBin() (string, error) {
	found, newest := "", 0
	all, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	for _, initdb := range all {
		bin := filepath.Dir(initdb)
		if version, err := strconv.Atoi(filepath.Base(filepath.Dir(bin))); err == nil && version > newest {
			found, newest = bin, version
		}
	}
	if found != "" || err != nil {
		return found, err
	}
	if initdb, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(initdb), nil
	}
	return "", errors.New("PostgreSQL is not installed: apt-get install postgresql")
}

func giveTo(name, dir string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(errUID, errGID, os.Chown(dir, int(uid), int(gid))); err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	_, port, _ := strings.Cut(l.Addr().String(), ":")
	return strconv.Atoi(port)
}
