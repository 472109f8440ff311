// Command mooring-e2e-cluster is a real Kubernetes control plane in one process, for tests, the demo and the bench:
// etcd, the API server, the controller manager, the scheduler, and kwok in the place of kubelets. Its sub-command
// kubectl is the kubectl of the same version. README.md tells how to build and use it.
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
	"strings"
	"syscall"
)

const usage = `usage: mooring-e2e-cluster up --dir DIR [--only-api] [--port N] [--stdin] [--remove]
       mooring-e2e-cluster kubectl ARGS…

up runs a cluster until SIGTERM, prints one line of JSON when it is ready, and keeps everything below DIR.
`

func main() {
	if strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe") == "kubectl" {
		kubectl(os.Args)
		return
	}
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	switch os.Args[1] {
	case "up":
		err := upCommand(os.Args[2:])
		if errors.Is(err, flag.ErrHelp) {
			os.Exit(2)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "mooring-e2e-cluster:", err)
			os.Exit(1)
		}
	case "kubectl":
		kubectl(os.Args[1:])
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
}

// upCommand reads the flags of up and runs the cluster until a signal, or the end of standard input, asks it to stop.
func upCommand(args []string) error {
	var o options
	var watchStdin bool
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage); flags.PrintDefaults() }
	flags.StringVar(&o.dir, "dir", "", "directory of this one instance, made when absent; used again, it keeps its objects and credentials")
	flags.BoolVar(&o.onlyAPI, "only-api", false, "etcd and the API server with the controllers that deletion needs; no workload becomes ready")
	flags.IntVar(&o.port, "port", 0, "port of the API server on 127.0.0.1; 0 takes a free one")
	flags.BoolVar(&o.remove, "remove", false, "remove the directory at the end")
	flags.BoolVar(&watchStdin, "stdin", false, "end when standard input is closed, so that nothing outlives the process that started it")
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp
	}
	if o.dir == "" || flags.NArg() > 0 {
		flags.Usage()
		return flag.ErrHelp
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if watchStdin {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
	}
	return up(ctx, o, os.Stdout)
}
