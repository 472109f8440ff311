package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/runner"
)

func (a *app) syncCommand() *cobra.Command {
	var repository string
	cmd := &cobra.Command{
		Use:     "sync",
		GroupID: "run",
		Short:   "Take one pass over every repository, then end",
		Long: `One pass of the pull loop: what the branches ask for is planned and applied, failed
units are tried again, approved ones carried out. Pull requests and review branches
are looked at once too, and their forge is told. Prints the runs it made, took
further, or that still wait for a person. Plans for review have no say in the exit
code.

Exit: 0 converged, 1 failed, 2 something waits for a person.`,
		Example: `  mooring sync -c server.hcl
  mooring sync --repository infra -o json`,
		Args: arguments(0, 0, "[flags]"),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.sync(cmd.Context(), repository) },
	}
	cmd.Flags().StringVar(&repository, "repository", "", "take this repository only")
	_ = cmd.RegisterFlagCompletionFunc("repository", a.completeRepositories) // fails only for a flag that is not there
	return a.withOutput(cmd)
}

// runList is what sync and runs print as JSON.
type runList struct {
	Runs  []runner.Run `json:"runs"`
	Error string       `json:"error,omitempty"`
}

func listOf(runs []runner.Run, err error) runList {
	l := runList{Runs: runs}
	if l.Runs == nil {
		l.Runs = []runner.Run{}
	}
	if err != nil {
		l.Error = err.Error()
	}
	return l
}

func (a *app) sync(ctx context.Context, repository string) error {
	observe, end := a.progress()
	defer end()
	var runs []runner.Run
	err := a.work(ctx, true, observe, func(ctx context.Context, s *session) (err error) {
		runs, err = s.Sync(ctx, repository)
		return err
	})
	end()
	printed := a.print(listOf(runs, err), func(w io.Writer, s report.Style) error {
		if len(runs) > 0 {
			return report.Runs(w, runs, report.Options{Style: s, Commands: a.self()})
		}
		if err != nil {
			return nil // what is wrong follows
		}
		_, err := io.WriteString(w, "Nothing to do: everything is as the repositories say.\n")
		return err
	})
	if err := errors.Join(err, printed); err != nil {
		return err
	}
	return verdict(runs)
}

// verdict is the exit code of runs: a failure outranks a wait. Plans of pull requests
// are for their authors: what does not work there is nothing of the branch's.
func verdict(runs []runner.Run) error {
	waits := false
	for i := range runs {
		if runs[i].Review {
			continue
		}
		switch st := runs[i].Status; {
		case st == runner.Failed, st == runner.Interrupted, runs[i].Error != "":
			return &exitError{code: 1}
		}
		for _, u := range runs[i].Units {
			if u.Status == runner.Failed || u.Status == runner.Interrupted {
				return &exitError{code: 1}
			}
		}
		waits = waits || runs[i].Waits()
	}
	if waits {
		return &exitError{code: 2}
	}
	return nil
}
