package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mooring-iac/mooring/cmd/mooring/control"
	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/runner"
)

func (a *app) runsCommand() *cobra.Command {
	q := control.Query{}
	var review string
	cmd := &cobra.Command{
		Use:     "runs",
		GroupID: "history",
		Short:   "List runs, the newest first",
		Example: `  mooring runs -c server.hcl
  mooring runs --waiting
  mooring runs --review 12                 plans and applies of pull request 12
  mooring runs --review review/dns         plans of a branch
  mooring runs --repository infra --limit 5 -o json`,
		Args: arguments(0, 0, "[flags]"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("review") {
				if q.Pull, q.Branch = reviewed(review); q.Pull == 0 && q.Branch == "" {
					return fmt.Errorf("--review is %q: name a pull request (12) or a branch", review)
				}
			}
			return a.runs(cmd.Context(), q)
		},
	}
	cmd.Flags().StringVar(&q.Repository, "repository", "", "of this repository only")
	cmd.Flags().IntVar(&q.Limit, "limit", 20, "how many at the most")
	cmd.Flags().StringVar(&review, "review", "", "only those of this pull request, by number, or of this branch")
	cmd.Flags().BoolVar(&q.Waiting, "waiting", false, "only those that wait for a person")
	_ = cmd.RegisterFlagCompletionFunc("repository", a.completeRepositories) // fails only for a flag that is not there
	return a.withOutput(cmd)
}

func (a *app) runs(ctx context.Context, q control.Query) error {
	if q.Limit <= 0 {
		return errors.New("--limit must be 1 or more")
	}
	var runs []runner.Run
	err := a.work(ctx, false, nil, func(ctx context.Context, s *session) (err error) {
		runs, err = s.Runs(ctx, q)
		return err
	})
	if err != nil && a.format != "json" {
		return err
	}
	return errors.Join(err, a.print(listOf(runs, err), func(w io.Writer, s report.Style) error {
		return report.RunTable(w, runs, s)
	}))
}

// reviewed reads the name of a pull request, 12 or #12, or of a branch.
func reviewed(name string) (pull int, branch string) {
	if n, err := strconv.Atoi(strings.TrimPrefix(name, "#")); err == nil {
		return max(n, 0), ""
	}
	return 0, name
}
