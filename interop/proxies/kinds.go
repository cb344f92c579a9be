package proxies

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func startNginx(t *testing.T, p *Proxy) {
	// One process, and nothing outside of the folder, so that anybody can run it.
	var temporary strings.Builder
	for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temporary, "    %s_temp_path %s/%s;\n", what, p.dir, what)
	}
	listen, scheme := p.address, "http"
	idName, wikiName, filesName := p.names()
	if p.tls {
		cert, key := p.certificate(t)
		listen, scheme = fmt.Sprintf("%s ssl; ssl_certificate %s; ssl_certificate_key %s", p.address, cert, key), "https"
	}
	site := func(name string, app string) string {
		return fmt.Sprintf(`
    server {
        listen %[1]s;
        server_name %[2]s;
        set $twinlatch_app %[7]s://%[3]s;
        include %[4]s;
        location / {
            include %[5]s;
            proxy_pass http://%[6]s;
        }
    }
`, listen, name, p.host(name), documented(t, "nginx/server.conf"), documented(t, "nginx/location.conf"), app, scheme)
	}
	config := p.write(t, "nginx.conf", `
daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr notice;
events {}
http {
    access_log off;
%[2]s
    # As careless as an operator could be: what the snippets need they must say.
    underscores_in_headers on;
    server { listen %[10]s server_name _; return 421; underscores_in_headers on; }
    upstream twinlatch { server %[4]s; }
    upstream wiki { server %[5]s; }
    upstream files { server %[6]s; }
%[7]s%[8]s
    server {
        listen %[3]s;
        server_name %[9]s;
%[11]s
    }
}
`, p.dir, temporary.String(), listen, p.twinlatch, p.wiki.address, p.files.address, site(wikiName, "wiki"), site(filesName, "files"), idName, strings.Replace(listen+";", ";", " default_server;", 1),
		strings.Replace(shown(t, "operating.md", "nginx"), "http://127.0.0.1:8080", "http://twinlatch", 1))
	p.run(t, nil, "nginx", "-p", p.dir, "-c", config, "-e", "stderr")
}

// certificate makes one that nobody knows, for all names.
func (p *Proxy) certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, wiki, files := p.names()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{id, wiki, files}, NotAfter: time.Now().Add(24 * time.Hour)}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return p.write(t, "cert.pem", "%s", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})),
		p.write(t, "key.pem", "%s", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func startCaddy(t *testing.T, p *Proxy) {
	ip, _, _ := net.SplitHostPort(p.address)
	config := p.write(t, "Caddyfile", `{
	admin off
	auto_https off
	default_bind %[7]s
}
import %[1]s
http://%[8]s {
	reverse_proxy %[4]s
}
http://%[2]s {
	import twinlatch %[4]s
	rewrite /old/* /new?from={path}
	# A block is protected as well.
	handle /handled/* {
		reverse_proxy %[5]s
	}
	reverse_proxy %[5]s
}
http://%[3]s {
	import twinlatch %[4]s
	reverse_proxy %[6]s
}
`, documented(t, "caddy/twinlatch.caddyfile"), p.host(wikiHost), p.host(filesHost), p.twinlatch, p.wiki.address, p.files.address, ip, p.host(idHost))
	p.run(t, []string{"XDG_DATA_HOME=" + p.dir, "XDG_CONFIG_HOME=" + p.dir}, "caddy", "run", "--adapter", "caddyfile", "--config", config)
}

func startHAProxy(t *testing.T, p *Proxy) {
	p.run(t, []string{
		"TWINLATCH_LUA=" + documented(t, "haproxy/twinlatch.lua"), "LISTEN=" + p.address,
		"WIKI_HOST=" + wikiHost, "FILES_HOST=" + filesHost, "ID_HOST=" + idHost, "WIKI=" + p.wiki.address, "FILES=" + p.files.address,
	}, "haproxy", "-db", "-f", documented(t, "haproxy/haproxy.cfg"))
}

func startApache(t *testing.T, p *Proxy) {
	// Started by root, Apache reads the script as another user, who cannot
	// look into the folders that tests get.
	dir, err := os.MkdirTemp("", "apache")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p.dir = dir
	script, err := os.ReadFile(documented(t, "apache/twinlatch.lua"))
	if err != nil {
		t.Fatal(err)
	}
	lua := p.write(t, "twinlatch.lua", "%s", script)

	var modules strings.Builder
	for _, name := range []string{"mpm_event", "authz_core", "alias", "lua", "proxy", "proxy_http"} {
		fmt.Fprintf(&modules, "LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", name, name)
	}
	user := ""
	if os.Getuid() == 0 {
		user = "User www-data\nGroup www-data\n"
	}
	_, port, _ := net.SplitHostPort(p.address)
	site := func(name, app string) string {
		return fmt.Sprintf(`
<VirtualHost *:%[1]s>
    ServerName http://%[2]s
    Define APP %[3]s
    Include %[4]s
</VirtualHost>
`, port, p.host(name), app, documented(t, "apache/site.conf"))
	}
	id := fmt.Sprintf(`
<VirtualHost *:%[1]s>
    ServerName http://%[2]s
    ProxyPreserveHost On
    AllowEncodedSlashes NoDecode
    ProxyPass / http://%[3]s/ nocanon
</VirtualHost>
`, port, p.host(idHost), p.twinlatch)
	config := p.write(t, "apache.conf", `
ServerRoot %[1]s
DefaultRuntimeDir %[1]s
PidFile %[1]s/pid
ErrorLog /dev/stderr
LogLevel info
Listen %[2]s
ServerName nobody.example.test
%[3]s%[4]s
Define TWINLATCH_LUA %[5]s
<VirtualHost *:%[6]s>
    Redirect 421 /
</VirtualHost>
%[7]s%[8]s%[9]s
`, p.dir, p.address, modules.String(), user, lua, port, site(wikiHost, p.wiki.address), site(filesHost, p.files.address), id)
	p.run(t, nil, "apache2", "-d", p.dir, "-f", config, "-DFOREGROUND")
}
