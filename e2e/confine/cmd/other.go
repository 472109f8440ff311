//go:build !linux || !(amd64 || arm64)

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "denyns: there is no seccomp filter for this system")
	os.Exit(125)
}
