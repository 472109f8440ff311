// Command demo shows Mooring's main job on real input: a real Git remote over http, the real Terraform, a real
// Kubernetes API server. It acts as a person would, with Mooring's own commands, and prints what they print.
//
//	make demo                 or  go run ./e2e/demo
//	make demo KEEP=1          leaves everything up
//	make demo CONTEXT=name    uses a cluster of the person's own
//	make demo REVIEWS=1       tells of pull requests instead, on a real Gitea
//	make demo DRIFT=1         tells of drift, on a real Gitea
//	make pictures             both of them, and writes docs/pictures
//
// The exit code is 0 when everything came out as it was told, else 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// settings are the command line.
type settings struct {
	mooring string // binary; "" builds one
	context string // of the person's own kubeconfig; "" starts a cluster
	keep    bool

	reviews  bool   // tell of pull requests
	drift    bool   // tell of drift
	pictures string // directory for pictures of the comments; "" makes none
	browser  string // that takes the pictures
}

func main() {
	var s settings
	flag.StringVar(&s.mooring, "mooring", "", "the binary to show (default: build it)")
	flag.StringVar(&s.context, "context", "", "use the cluster of this context of your own kubeconfig")
	flag.BoolVar(&s.keep, "keep", false, "leave everything up when the demo is over")
	flag.BoolVar(&s.reviews, "reviews", false, "tell of pull requests, on a real Gitea")
	flag.BoolVar(&s.drift, "drift", false, "tell of drift, on a real Gitea")
	flag.StringVar(&s.pictures, "pictures", "", "with -reviews and -drift: write pictures of what people see to this directory")
	flag.StringVar(&s.browser, "browser", "chromium", "the Chromium that takes them")
	flag.Parse()
	if s.reviews && s.drift || s.keep && (s.reviews || s.drift) {
		fmt.Fprintln(os.Stderr, "demo: -reviews, -drift and -keep are one at a time")
		os.Exit(2)
	}
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "demo: it takes flags only; see -help")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := start(ctx, s)
	if ctx.Err() != nil {
		err = errors.New("stopped by a signal; everything it started is gone")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

// start runs the demo here, or in a process that stays behind.
func start(ctx context.Context, s settings) error {
	switch {
	case s.keep && os.Getenv(holderEnv) == "":
		return inHolder(ctx)
	case s.keep:
		return hold(ctx, s)
	}
	return run(ctx, s, os.Stdout, nil)
}

// run is the whole demo. With keep it waits before it clears up, until ctx or something that runs has ended.
func run(ctx context.Context, s settings, out io.Writer, keep func(*stage)) (err error) {
	begin := time.Now()
	dir, err := os.MkdirTemp("", "mooring-demo-")
	if err != nil {
		return err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return err
	}
	st := &stage{ctx: ctx, out: out, dir: dir, settings: s}
	defer func() {
		if f := recover(); f != nil {
			failed, ours := f.(failure)
			if !ours {
				st.clear()
				panic(f)
			}
			err = failed.error
			if tail := st.logTail(); tail != "" && ctx.Err() == nil {
				st.post("The server's log ends with:", tail)
			}
		}
		err = errors.Join(err, st.clear())
		if err == nil {
			fmt.Fprintf(out, "\nThe demo took %d s. Nothing of it is left running.\n", int(time.Since(begin).Seconds()))
		}
	}()
	if s.reviews {
		st.prepareForge(nil)
		reviews(st)
		return nil
	}
	if s.drift {
		st.prepareForge(driftFiles)
		drifts(st)
		return nil
	}
	st.prepare()
	story(st)
	if keep != nil {
		keep(st)
	}
	return nil
}
