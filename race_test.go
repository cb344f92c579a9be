//go:build race

package twinlatch_test

const detector = 10
