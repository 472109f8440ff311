package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/mooring-iac/mooring/cmd/mooring/control"
	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/runner"
)

func (a *app) stateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "state",
		GroupID: "history",
		Short:   "Terraform states that need a person",
		Long: `When a backend does not take the state of an apply, Mooring keeps it, sealed, and holds
the workspace until it is pushed. When a run was cut off, its state lock may be left.`,
		Example: `  mooring state list -c server.hcl
  mooring state push infra/network`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.stateListCommand(), a.statePushCommand(), a.stateUnlockCommand())
	return cmd
}

type stateList struct {
	States []runner.KeptState `json:"states"`
	Error  string             `json:"error,omitempty"`
}

func (a *app) stateListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the states that their backend did not take",
		Example: "  mooring state list -c server.hcl\n  mooring state list -o json",
		Args:    arguments(0, 0, "[flags]"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			list := stateList{States: []runner.KeptState{}}
			err := a.work(cmd.Context(), false, nil, func(ctx context.Context, s *session) error {
				all, err := s.States(ctx)
				if all != nil {
					list.States = all
				}
				return err
			})
			if err != nil {
				return a.failed(err)
			}
			return a.print(list, func(w io.Writer, s report.Style) error { return report.StateTable(w, list.States, s) })
		},
	}
	return a.withOutput(cmd)
}

func (a *app) statePushCommand() *cobra.Command {
	t := control.Target{}
	cmd := &cobra.Command{
		Use:   "push UNIT",
		Short: "Store a kept state in its backend",
		Long: `Stores the states of a workspace that its backend did not take, oldest first, and
removes the kept copies. Terraform itself refuses a state of another lineage, and one
that is older than what the backend has. Then the workspace is planned again by the
next pass that takes it.`,
		Example: `  mooring state push infra/network -c server.hcl
  mooring state push infra/network --repository infra`,
	}
	a.targetCommand(cmd, &t, func(ctx context.Context) error {
		pushed := 0
		err := a.work(ctx, false, nil, func(ctx context.Context, s *session) (err error) {
			pushed, err = s.PushState(ctx, t)
			return err
		})
		if err != nil {
			return a.failed(err)
		}
		answer := struct {
			Unit   string `json:"unit"`
			Pushed int    `json:"pushed"`
		}{t.Unit, pushed}
		return a.print(answer, func(w io.Writer, s report.Style) error {
			what := "The state"
			if pushed > 1 {
				what = fmt.Sprintf("%d states", pushed)
			}
			_, err := fmt.Fprintf(w, "%s of %s is stored in its backend. `%s sync` plans it again.\n", what, report.CleanLine(t.Unit), a.self())
			return err
		})
	})
	return a.withOutput(cmd)
}

func (a *app) stateUnlockCommand() *cobra.Command {
	l := control.StateLock{}
	cmd := &cobra.Command{
		Use:   "unlock UNIT LOCK-ID",
		Short: "Free Terraform's lock on a state",
		Long: `Frees Terraform's own lock on the state of a workspace, by the id that the failed plan
shows. Mooring frees only locks of its own runs that are proven dead; for every other
one it is you who knows that nobody works on the state.`,
		Example: "  mooring state unlock infra/network 1b4bc5b2-6c1f-3a0e-8f0e-2f9d5b1a7c11 -c server.hcl",
	}
	a.targetCommand(cmd, &l.Target, func(ctx context.Context) error {
		err := a.work(ctx, false, nil, func(ctx context.Context, s *session) error { return s.UnlockState(ctx, l) })
		if err != nil {
			return a.failed(err)
		}
		answer := struct {
			Unit string `json:"unit"`
			Lock string `json:"lock"`
		}{l.Unit, l.ID}
		return a.print(answer, func(w io.Writer, _ report.Style) error {
			_, err := fmt.Fprintf(w, "The state of %s is unlocked: it was lock %s.\n", report.CleanLine(l.Unit), report.CleanLine(l.ID))
			return err
		})
	})
	run := cmd.RunE
	cmd.Args = arguments(2, 2, "UNIT LOCK-ID [--repository NAME]")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		l.ID = args[1]
		return run(cmd, args[:1])
	}
	return a.withOutput(cmd)
}
