// Package interop holds tests that let programs of other people judge ours. It
// has no code. Each test names the program it needs and fails, never skips,
// where it is missing.
package interop
