package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/runner"
)

func (a *app) gcCommand() *cobra.Command {
	o := runner.CollectOptions{}
	cmd := &cobra.Command{
		Use:     "gc",
		GroupID: "other",
		Short:   "Remove what nothing needs any more from the data directory",
		Long: `Removes ended runs and their logs, saved plans that nobody waits for, checkouts,
copies of repositories, Terraform's working directories and provider packages that
nothing uses any more, by age and size, and says what that freed. A server does this
by itself every day. What runs or waits for a person stays; state is never touched.

Exit: 0 done, 1 failed.`,
		Example: "  mooring gc --dry-run -c server.hcl\n  mooring gc -o json",
		Args:    arguments(0, 0, "[--dry-run]"),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.gc(cmd.Context(), o) },
	}
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "only say what would be removed")
	return a.withOutput(cmd)
}

type collected struct {
	runner.Collected
	Error string `json:"error,omitempty"`
}

func (a *app) gc(ctx context.Context, o runner.CollectOptions) error {
	done := collected{Collected: runner.Collected{Kinds: []runner.Freed{}}}
	err := a.work(ctx, false, nil, func(ctx context.Context, s *session) error {
		c, err := s.Collect(ctx, o)
		if c.Kinds != nil { // a request that did not reach the server has none
			done.Collected = c
		}
		return err
	})
	if err != nil && a.format != "json" && len(done.Kinds) == 0 {
		return err
	}
	if err != nil {
		done.Error = err.Error()
	}
	return errors.Join(err, a.print(done, func(w io.Writer, s report.Style) error {
		return report.CollectedTable(w, done.Collected, o.DryRun, s)
	}))
}
