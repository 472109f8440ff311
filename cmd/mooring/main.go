// Command mooring keeps infrastructure and workloads tied to one Git repository.
package main

import (
	"context"
	"os"
	"time"
)

func main() {
	a := &app{
		stdout:  os.Stdout,
		stderr:  os.Stderr,
		env:     os.LookupEnv,
		environ: os.Environ(),
		now:     time.Now,
	}
	os.Exit(a.run(context.Background(), os.Args[1:]))
}
