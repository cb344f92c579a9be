//go:build !race

package sqlstore_test

// detector is how much less of what goes on in one goroutine is done under the
// race detector, which is slow and finds nothing there.
const detector = 1
