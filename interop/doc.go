// Package interop holds tests that let others judge ours: programs of other
// people, and attackers who know the standard by heart. It has no code. A test
// that needs a program names it and fails, never skips, where it is missing.
package interop
