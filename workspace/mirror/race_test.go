//go:build race

package mirror_test

// slowdown is what the race detector makes of processor time.
const slowdown = 5
