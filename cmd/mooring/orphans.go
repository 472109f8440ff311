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

func (a *app) forgetCommand() *cobra.Command {
	t := control.Target{}
	cmd := &cobra.Command{
		Use:     "forget UNIT",
		GroupID: "history",
		Short:   "Let go of an orphaned unit without destroying anything",
		Long: `A unit that the branch no longer has, and whose directory is still there, is
orphaned: it is kept until a person decides. This drops Mooring's memory of it. What
Terraform made stays, and so does its state.`,
		Example: "  mooring forget infra/old -c server.hcl",
	}
	a.targetCommand(cmd, &t, func(ctx context.Context) error {
		err := a.work(ctx, false, nil, func(ctx context.Context, s *session) error { return s.Forget(ctx, t) })
		if err != nil {
			return a.failed(err)
		}
		return a.print(map[string]string{"unit": t.Unit, "repository": t.Repository}, func(w io.Writer, _ report.Style) error {
			_, err := fmt.Fprintf(w, "Forgot %s. What it made is still there.\n", report.CleanLine(t.Unit))
			return err
		})
	})
	return a.withOutput(cmd)
}

func (a *app) destroyCommand() *cobra.Command {
	t := control.Target{}
	cmd := &cobra.Command{
		Use:     "destroy UNIT",
		GroupID: "history",
		Short:   "Plan the end of an orphaned unit; the plan waits for approval",
		Long: `Plans to destroy what an orphaned unit made, from the last commit that had it. The
plan is held: mooring approve carries it out. A unit that the branch still has is
destroyed by removing it from the branch.

Exit: 0 nothing to destroy, 1 failed, 2 the plan waits for a person.`,
		Example: "  mooring destroy infra/old -c server.hcl",
	}
	a.targetCommand(cmd, &t, func(ctx context.Context) error {
		observe, end := a.progress()
		defer end()
		var run runner.Run
		err := a.work(ctx, false, observe, func(ctx context.Context, s *session) (err error) {
			run, err = s.Destroy(ctx, t)
			return err
		})
		end()
		if err != nil {
			return a.failed(err)
		}
		err = a.print(run, func(w io.Writer, s report.Style) error {
			return report.Run(w, &run, report.Options{Style: s, Full: true, Commands: a.self()})
		})
		if err != nil {
			return err
		}
		return verdict([]runner.Run{run})
	})
	return a.withOutput(cmd)
}
