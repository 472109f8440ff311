package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/mooring-iac/mooring/cmd/mooring/control"
	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/locks"
)

func (a *app) locksCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "locks",
		GroupID: "history",
		Short:   "Show who holds which unit, for which run, since when, why",
		Long: `Mooring's own locks. A run holds a unit while it works on it. Where apply is
"before_merge", a pull request (#12) holds the units that it changes from its plan
until it is merged, closed or unlocked.`,
		Example: "  mooring locks -c server.hcl\n  mooring locks -o json",
		Args:    arguments(0, 0, "[flags]"),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.locks(cmd.Context()) },
	}
	return a.withOutput(cmd)
}

type lockList struct {
	Locks []locks.Lock `json:"locks"`
	Error string       `json:"error,omitempty"`
}

func (a *app) locks(ctx context.Context) error {
	list := lockList{Locks: []locks.Lock{}}
	err := a.work(ctx, false, nil, func(ctx context.Context, s *session) error {
		all, err := s.Locks(ctx)
		list.Locks = append(list.Locks, all...)
		return err
	})
	if err != nil && a.format != "json" {
		return err
	}
	if err != nil {
		list.Error = err.Error()
	}
	return errors.Join(err, a.print(list, func(w io.Writer, s report.Style) error {
		return report.LockTable(w, list.Locks, s)
	}))
}

func (a *app) unlockCommand() *cobra.Command {
	t := control.Target{}
	cmd := &cobra.Command{
		Use:     "unlock UNIT",
		GroupID: "history",
		Short:   "Take a lock from whoever holds it",
		Long: `Breaks Mooring's own lock on a unit, whoever holds it. Look at mooring locks first:
a run that still works on the unit is not stopped by this. A pull request (#12) that
holds the unit loses its plans and all of its locks: the next in the queue has its
turn. Terraform's state lock is another one and is not touched.`,
		Example: `  mooring unlock infra/network -c server.hcl
  mooring unlock infra/network --repository infra`,
	}
	a.targetCommand(cmd, &t, func(ctx context.Context) error {
		var l locks.Lock
		err := a.work(ctx, false, nil, func(ctx context.Context, s *session) (err error) {
			l, err = s.Unlock(ctx, t)
			return err
		})
		if err != nil {
			return a.failed(err)
		}
		return a.print(l, func(w io.Writer, s report.Style) error {
			_, err := io.WriteString(w, report.Unlocked(l))
			return err
		})
	})
	return a.withOutput(cmd)
}

// targetCommand gives a command one unit as its argument.
func (a *app) targetCommand(cmd *cobra.Command, t *control.Target, run func(context.Context) error) {
	cmd.Args = arguments(1, 1, "UNIT [--repository NAME]")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		t.Unit = args[0]
		if t.By == "" {
			t.By = a.user()
		}
		return run(cmd.Context())
	}
	cmd.ValidArgsFunction = a.completeUnits
	cmd.Flags().StringVar(&t.Repository, "repository", "", "where ids repeat: the repository of the unit")
	cmd.Flags().StringVar(&t.By, "by", "", "who decides (default: the user)")
	_ = cmd.RegisterFlagCompletionFunc("repository", a.completeRepositories) // fails only for a flag that is not there
}
