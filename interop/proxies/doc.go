// Package proxies holds tests that run the proxies of other people with the very
// files of docs/forward-auth, so that what operators paste is what was tested.
// It has no code. A proxy that is missing is named with its Debian package, and
// the test fails.
package proxies
