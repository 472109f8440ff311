package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/mooring-iac/mooring/cmd/mooring/control"
	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/runner"
)

func (a *app) cancelCommand() *cobra.Command {
	c := control.Cancel{}
	noWait := false
	cmd := &cobra.Command{
		Use:     "cancel RUN",
		GroupID: "history",
		Short:   "End a run that is under way",
		Long: `Nothing more of the run begins. Terraform is asked to stop, so that it writes its state
and frees its lock, and is killed with all that it started when it has not done so
within 30 seconds. What waits for a person is discarded. What was applied stays.

An apply that goes on without Mooring is ended, too. Exit: 0 cancelled, 1 failed, or
there was nothing to cancel.`,
		Example: `  mooring cancel r12 -c server.hcl
  mooring cancel r12 --no-wait`,
		Args:              arguments(1, 1, "RUN"),
		ValidArgsFunction: a.completeRuns(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.Run = args[0]
			if c.By == "" {
				c.By = a.user()
			}
			return a.cancel(cmd.Context(), c, noWait)
		},
	}
	cmd.Flags().StringVar(&c.By, "by", "", "who decides (default: the user)")
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "do not wait until the run has ended")
	return a.withOutput(cmd)
}

// askAgain is how often a run that was cancelled is looked at until it has ended.
const askAgain = 100 * time.Millisecond

func (a *app) cancel(ctx context.Context, c control.Cancel, noWait bool) error {
	var run runner.Run
	err := a.work(ctx, false, nil, func(ctx context.Context, s *session) (err error) {
		run, err = s.Cancel(ctx, c)
		for err == nil && !noWait && (run.Status == runner.Running || run.Status == runner.Queued) {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(askAgain): // the server says nothing by itself to those who only ask
			}
			run, err = s.Run(ctx, run.ID)
		}
		return err
	})
	if err != nil {
		return a.failed(err)
	}
	return a.print(run, func(w io.Writer, s report.Style) error {
		return report.Run(w, &run, report.Options{Style: s, Commands: a.self(), Decided: true})
	})
}
