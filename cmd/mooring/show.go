package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mooring-iac/mooring/cmd/mooring/control"
	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/runner"
)

func (a *app) showCommand() *cobra.Command {
	var unit string
	cmd := &cobra.Command{
		Use:     "show [RUN]",
		GroupID: "history",
		Short:   "Show one run in full; the newest when none is named",
		Long: `Shows one run: its changes, what failed and why, what waits. In place of a run's id,
'#12' names the newest run of pull request 12, and a branch the newest one of it.`,
		Example: `  mooring show r12 -c server.hcl
  mooring show '#12'                       the newest run of pull request 12
  mooring show review/dns                  the newest plan of a review branch
  mooring show r12 --log infra/network     Terraform's own output
  mooring show r12 -o json`,
		Args:              arguments(0, 1, "[RUN]"),
		ValidArgsFunction: a.completeRuns(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := ""
			if len(args) == 1 {
				id = args[0]
			}
			if unit != "" {
				return a.showLog(cmd.Context(), id, unit)
			}
			return a.show(cmd.Context(), id)
		},
	}
	cmd.Flags().StringVar(&unit, "log", "", "print Terraform's output of this unit instead")
	return a.withOutput(cmd)
}

func (a *app) show(ctx context.Context, id string) error {
	var run runner.Run
	err := a.work(ctx, false, nil, func(ctx context.Context, s *session) (err error) {
		run, err = find(ctx, s, id)
		return err
	})
	if err != nil {
		return a.failed(err)
	}
	return a.print(run, func(w io.Writer, s report.Style) error {
		return report.Run(w, &run, report.Options{Style: s, Full: true, Commands: a.self()})
	})
}

func (a *app) showLog(ctx context.Context, id, unit string) error {
	return a.work(ctx, false, nil, func(ctx context.Context, s *session) error {
		run, err := find(ctx, s, id)
		if err != nil {
			return err
		}
		text, err := s.Log(ctx, run.ID, unit)
		if err != nil {
			return err
		}
		return errors.Join(report.Copy(a.out(), text), text.Close())
	})
}

// find returns the run with the id, or the newest one: of all for "", of a pull
// request for "#12", of a branch that has the name.
func find(ctx context.Context, s *session, id string) (runner.Run, error) {
	q := control.Query{Limit: 1}
	none := errors.New("there are no runs yet")
	if strings.HasPrefix(id, "#") {
		if q.Pull, _ = reviewed(id); q.Pull == 0 {
			return runner.Run{}, fmt.Errorf("%q is no pull request: write '#12'", id)
		}
		none = fmt.Errorf("there is no run of pull request %s", id)
	} else if id != "" {
		run, err := s.Run(ctx, id)
		if !errors.Is(err, runner.ErrNoRun) {
			return run, err
		}
		q.Branch, none = id, err
	}
	runs, err := s.Runs(ctx, q)
	if err != nil {
		return runner.Run{}, err
	}
	if len(runs) == 0 {
		return runner.Run{}, none
	}
	return runs[0], nil
}

// failed is an error of a command that prints one thing: with -o json there is
// JSON on standard output then too.
func (a *app) failed(err error) error {
	if a.format != "json" {
		return err
	}
	_, tty := terminal(a.stdout)
	return errors.Join(err, report.JSON(a.out(), map[string]string{"error": err.Error()}, tty))
}
