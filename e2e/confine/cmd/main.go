//go:build linux && (amd64 || arm64)

// Command cmd is denyns, which runs a command where namespaces and mounts are refused; see package confine.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"github.com/mooring-iac/mooring/e2e/confine"
)

func main() {
	err := run(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "denyns:", err)
	os.Exit(125) // as env and docker run do when they, not the command, failed
}

// run returns only when it fails: the process becomes the command.
func run(args []string) error {
	var o confine.Options
	flags := flag.NewFlagSet("denyns", flag.ContinueOnError)
	flags.BoolVar(&o.NoLandlock, "no-landlock", false, "let Landlock be absent, too")
	flags.BoolVar(&o.NoFlock, "errno-flock", false, "let flock fail with ENOTSUP, too")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("which command? denyns [--no-landlock] [--errno-flock] COMMAND [ARG…]")
	}
	path, err := exec.LookPath(flags.Arg(0))
	if err != nil {
		return err
	}
	if err := confine.Self(o); err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", path, unix.Exec(path, flags.Args(), os.Environ()))
}
