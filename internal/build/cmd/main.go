// Command cmd builds Mooring as it ships, static: `go run ./internal/build/cmd OUTPUT [go build flags]`. With
// `-supervisor DIR` it builds only the supervisor, into DIR, and prints the flags with which `go test` puts that inside.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mooring-iac/mooring/internal/build"
)

func main() {
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 2 && args[0] == "-supervisor":
		err = supervisor(args[1])
	case len(args) > 0 && args[0] != "" && args[0][0] != '-':
		err = build.Mooring(context.Background(), build.Static, args[0], args[1:]...)
	default:
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/build/cmd OUTPUT [go build flags]\n       go run ./internal/build/cmd -supervisor DIR")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func supervisor(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	flags, err := build.Supervisor(context.Background(), dir)
	if err != nil {
		return err
	}
	fmt.Println(strings.Join(flags, " "))
	return nil
}
