//go:build !race

package mirror_test

const slowdown = 1
