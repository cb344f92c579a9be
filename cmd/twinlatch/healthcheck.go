package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/twinlatch/twinlatch/config"
)

type healthcheckCommand struct {
	Config string  `placeholder:"FILE" help:"Configuration file (twinlatch.toml, if there is one)."`
	Listen *string `placeholder:"ADDR" help:"${listen}"`
	JSON   bool    `name:"json" help:"Print JSON."`
}

const healthcheckPatience = 5 * time.Second

// Run asks /healthz of the address that the server listens on, with no proxy and
// no redirection in between.
func (c *healthcheckCommand) Run(t terminal) error {
	cfg, err := config.Read(config.Source{File: c.Config, Env: t.env, Flags: given(map[string]*string{"listen": c.Listen})})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), healthcheckPatience)
	defer cancel()
	url := "http://" + reachable(cfg.Listen) + "/healthz"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(req)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s gave no answer in %v", url, healthcheckPatience)
	case err != nil:
		return fmt.Errorf("%s: %w; is the server running?", url, cause(err))
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, res.Status)
	}
	if c.JSON {
		return printJSON(t.out, map[string]string{"status": "ok", "url": url})
	}
	fmt.Fprintln(t.out, "ok")
	return nil
}

// reachable is an address to connect to for one to listen on.
func reachable(listen string) string {
	host, port, _ := net.SplitHostPort(listen)
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "", err == nil && ip == netip.IPv4Unspecified():
		host = "127.0.0.1"
	case err == nil && ip == netip.IPv6Unspecified():
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}
