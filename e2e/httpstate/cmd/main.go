// Command cmd serves Terraform's `backend "http"` with faults on demand, for tests that drive it from another process:
//
//	go run ./e2e/httpstate/cmd -listen 127.0.0.1:0 -fault '{"Method":"POST","First":2,"Count":1,"How":"cut"}'
//
// It prints its URL on one line and serves until SIGINT, SIGTERM or, with -stdin, the end of its standard input, so that
// it does not outlive who started it. More faults come and go at /_faults; see package httpstate.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/mooring-iac/mooring/e2e/httpstate"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "httpstate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	flags := flag.NewFlagSet("httpstate", flag.ContinueOnError)
	address := flags.String("listen", "127.0.0.1:0", "host:port to serve on; port 0 takes a free one")
	leash := flags.Bool("stdin", false, "end when standard input does")
	h := httpstate.NewHandler()
	flags.Func("fault", "a fault as JSON; may be given several times", func(text string) error {
		f, err := httpstate.ParseFault([]byte(text))
		if err != nil {
			return err
		}
		h.Inject(f)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	if *leash {
		go func() {
			_, _ = io.Copy(io.Discard, stdin) // however it ends, it has ended
			end()
		}()
	}
	server := &http.Server{Handler: h}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	fmt.Fprintf(stdout, "http://%s\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
