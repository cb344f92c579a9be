// Package proxies runs the proxies of other people with the very files of
// docs/forward-auth, so that what operators paste is what was tested: its own tests
// with a stub and with the program, and those of package e2e with a browser. A proxy
// that is missing is named with its Debian package, and the test fails.
package proxies
