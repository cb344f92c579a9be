package proxies

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
)

func startNginx(t *testing.T, p *proxy) {
	// One process, and nothing outside of the folder, so that anybody can run it.
	var temporary strings.Builder
	for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temporary, "    %s_temp_path %s/%s;\n", what, p.dir, what)
	}
	site := func(name string, app string) string {
		return fmt.Sprintf(`
    server {
        listen %[1]s;
        server_name %[2]s;
        set $twinlatch_app http://%[3]s;
        include %[4]s;
        location / {
            include %[5]s;
            proxy_pass http://%[6]s;
        }
    }
`, p.address, name, p.host(name), documented(t, "nginx/server.conf"), documented(t, "nginx/location.conf"), app)
	}
	config := p.write(t, "nginx.conf", `
daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr info;
events {}
http {
    access_log off;
%[2]s
    # As careless as an operator could be: what the snippets need they must say.
    underscores_in_headers on;
    server { listen %[3]s default_server; return 421; underscores_in_headers on; }
    upstream twinlatch { server %[4]s; }
    upstream wiki { server %[5]s; }
    upstream files { server %[6]s; }
%[7]s%[8]s
}
`, p.dir, temporary.String(), p.address, p.twinlatch, p.wiki.address, p.files.address, site(wikiHost, "wiki"), site(filesHost, "files"))
	p.run(t, nil, "nginx", "-p", p.dir, "-c", config, "-e", "stderr")
}

func startCaddy(t *testing.T, p *proxy) {
	config := p.write(t, "Caddyfile", `{
	admin off
	auto_https off
	default_bind 127.0.0.1
}
import %[1]s
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
`, documented(t, "caddy/twinlatch.caddyfile"), p.host(wikiHost), p.host(filesHost), p.twinlatch, p.wiki.address, p.files.address)
	p.run(t, []string{"XDG_DATA_HOME=" + p.dir, "XDG_CONFIG_HOME=" + p.dir}, "caddy", "run", "--adapter", "caddyfile", "--config", config)
}

func startHAProxy(t *testing.T, p *proxy) {
	p.run(t, []string{
		"TWINLATCH_LUA=" + documented(t, "haproxy/twinlatch.lua"), "LISTEN=" + p.address,
		"WIKI_HOST=" + wikiHost, "FILES_HOST=" + filesHost, "WIKI=" + p.wiki.address, "FILES=" + p.files.address,
	}, "haproxy", "-db", "-f", documented(t, "haproxy/haproxy.cfg"))
}

func startApache(t *testing.T, p *proxy) {
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
%[7]s%[8]s
`, p.dir, p.address, modules.String(), user, lua, port, site(wikiHost, p.wiki.address), site(filesHost, p.files.address))
	p.run(t, nil, "apache2", "-d", p.dir, "-f", config, "-DFOREGROUND")
}
