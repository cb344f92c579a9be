//go:build race

package sqlstore_test

const detector = 10
