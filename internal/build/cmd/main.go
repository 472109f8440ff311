// Command cmd builds Mooring as it ships, static: `go run ./internal/build/cmd OUTPUT [go build flags]`.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/mooring-iac/mooring/internal/build"
)

func main() {
	if len(os.Args) < 2 || os.Args[1] == "" || os.Args[1][0] == '-' {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/build/cmd OUTPUT [go build flags]")
		os.Exit(2)
	}
	if err := build.Mooring(context.Background(), build.Static, os.Args[1], os.Args[2:]...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
