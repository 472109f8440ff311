package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/mooring-iac/mooring/cmd/mooring/control"
	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/runner"
)

func (a *app) approveCommand() *cobra.Command {
	return a.decideCommand(true, &cobra.Command{
		Use:   "approve RUN [UNIT...]",
		Short: "Let what waits in a run go on",
		Long: `Records that a person has read the plans and says yes: to every held unit of the
run, or to those that are named. The running server carries it out, else the next
sync. An interrupted unit is planned anew.`,
		Example: `  mooring approve r12 -c server.hcl
  mooring approve r12 infra/network infra/db`,
	})
}

func (a *app) discardCommand() *cobra.Command {
	return a.decideCommand(false, &cobra.Command{
		Use:   "discard RUN [UNIT...]",
		Short: "Refuse what waits in a run",
		Long: `Records that a person says no: the plans are thrown away. A later commit that
affects a unit plans it again.`,
		Example: `  mooring discard r12 -c server.hcl
  mooring discard r12 infra/db`,
	})
}

func (a *app) decideCommand(approve bool, cmd *cobra.Command) *cobra.Command {
	var by string
	cmd.GroupID = "history"
	cmd.Args = arguments(1, -1, "RUN [UNIT...]")
	cmd.ValidArgsFunction = a.completeRuns(true)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if by == "" {
			by = a.user()
		}
		return a.decide(cmd.Context(), control.Decision{Run: args[0], Units: args[1:], By: by, Approve: approve})
	}
	cmd.Flags().StringVar(&by, "by", "", "who decides (default: the user)")
	return a.withOutput(cmd)
}

func (a *app) decide(ctx context.Context, d control.Decision) error {
	var run runner.Run
	var serving bool
	err := a.work(ctx, false, nil, func(ctx context.Context, s *session) (err error) {
		serving = s.remote != nil
		run, err = s.Decide(ctx, d)
		return err
	})
	if err != nil {
		return a.failed(err)
	}
	return a.print(run, func(w io.Writer, s report.Style) error {
		if err := report.Run(w, &run, report.Options{Style: s, Commands: a.self(), Decided: true}); err != nil {
			return err
		}
		return report.Decision(w, d.Approve, d.By, serving, a.self(), s)
	})
}
