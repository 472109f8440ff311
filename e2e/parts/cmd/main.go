// Command cmd builds the real parts that tests, the demo and the bench need, and prints the path of each on a line.
//
//	go run ./e2e/parts/cmd cluster kubectl terraform providers tofu gitea
package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/mooring-iac/mooring/e2e/parts"
)

var known = map[string]func(context.Context, io.Writer) (string, error){
	"cluster":         parts.Cluster,
	"kubectl":         parts.Kubectl,
	"terraform":       parts.Terraform,
	"built-terraform": parts.BuiltTerraform,
	"tofu":            parts.OpenTofu,
	"providers":       parts.Providers,
	"gitea":           parts.Gitea,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "parts:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return fmt.Errorf("name at least one of: %s", strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	for _, name := range names {
		build, ok := known[name]
		if !ok {
			return fmt.Errorf("unknown part %q, want one of: %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		path, err := build(ctx, os.Stderr)
		if err != nil {
			return err
		}
		fmt.Println(path)
	}
	return nil
}
