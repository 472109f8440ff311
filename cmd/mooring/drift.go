package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mooring-iac/mooring/cmd/mooring/control"
	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/runner"
	"github.com/mooring-iac/mooring/runner/drift"
)

func (a *app) driftCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "drift",
		GroupID: "run",
		Short:   "Look for what differs with no commit to explain it",
		Long: `Drift is what differs from the commit that was converged last, though no commit
asks for it. "mooring serve" looks by the schedule in mooring.hcl; these commands
look now, list what is known, and say that somebody knows.

Without a subcommand it is "mooring drift scan" of every unit.`,
		Example: `  mooring drift -c server.hcl
  mooring drift scan infra/network
  mooring drift history --since 30d -o csv`,
		Args: arguments(0, 0, "[scan|list|history|ack]"),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.scan(cmd.Context(), control.Scan{}) },
	}
	cmd.AddCommand(a.driftScanCommand(), a.driftListCommand(), a.driftHistoryCommand(), a.driftAckCommand())
	return a.withOutput(cmd)
}

func (a *app) driftScanCommand() *cobra.Command {
	o := control.Scan{}
	cmd := &cobra.Command{
		Use:   "scan [UNIT...]",
		Short: "Look for drift now, in every unit or in those named",
		Long: `Compares every unit with the commit that it was converged at last: workspaces by a
plan under Terraform's own state lock, manifest sets by what the cluster has. Changes
nothing. A unit that somebody holds is skipped. What is found goes into the history,
and is told where it is new, has changed or is gone.

Exit: 0 no drift, 1 failed, 2 drift.`,
		Example: `  mooring drift scan
  mooring drift scan infra/network apps -o json`,
		Args: arguments(0, -1, "[UNIT...]"),
		RunE: func(cmd *cobra.Command, units []string) error {
			o.Units = units
			return a.scan(cmd.Context(), o)
		},
		ValidArgsFunction: a.completeUnits,
	}
	cmd.Flags().StringVar(&o.Repository, "repository", "", "look at this repository only")
	_ = cmd.RegisterFlagCompletionFunc("repository", a.completeRepositories) // fails only for a flag that is not there
	return a.withOutput(cmd)
}

func (a *app) scan(ctx context.Context, o control.Scan) error {
	observe, end := a.progress()
	defer end()
	var runs []runner.Run
	err := a.work(ctx, true, observe, func(ctx context.Context, s *session) (err error) {
		runs, err = s.Scan(ctx, o)
		return err
	})
	end()
	printed := a.print(listOf(runs, err), func(w io.Writer, s report.Style) error {
		if len(runs) == 0 && err != nil {
			return nil // what is wrong follows
		}
		return report.Scans(w, runs, s)
	})
	if err := errors.Join(err, printed); err != nil {
		return err
	}
	return scanVerdict(runs)
}

// scanVerdict is the exit code of scans: what could not be looked at outranks what was found.
func scanVerdict(runs []runner.Run) error {
	code := 0
	for i := range runs {
		if runs[i].Error != "" || runs[i].Status == runner.Cancelled {
			code = 1
		}
		for _, u := range runs[i].Units {
			switch {
			case u.Status == runner.Failed:
				code = 1
			case len(u.Drift) > 0 && code == 0:
				code = 2
			}
		}
	}
	if code != 0 {
		return &exitError{code: code}
	}
	return nil
}

// driftList is what list, history and ack print as JSON.
type driftList struct {
	Drifts []drift.Record `json:"drifts"`
	Error  string         `json:"error,omitempty"`
}

func driftsOf(all []drift.Record, err error) driftList {
	l := driftList{Drifts: append([]drift.Record{}, all...)}
	if err != nil {
		l.Error = err.Error()
	}
	return l
}

func (a *app) driftListCommand() *cobra.Command {
	q := control.DriftQuery{}
	cmd := &cobra.Command{
		Use:   "list [UNIT]",
		Short: "List the drifts that are open, the oldest first",
		Long: `What the last scan of each unit found and no later one has seen end. It looks at
nothing anew: "mooring drift scan" does.`,
		Example: "  mooring drift list\n  mooring drift list apps -o json",
		Args:    arguments(0, 1, "[UNIT]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				q.Unit = args[0]
			}
			return a.drifts(cmd.Context(), q)
		},
		ValidArgsFunction: a.completeUnits,
	}
	cmd.Flags().StringVar(&q.Repository, "repository", "", "of this repository only")
	_ = cmd.RegisterFlagCompletionFunc("repository", a.completeRepositories) // fails only for a flag that is not there
	return a.withOutput(cmd)
}

func (a *app) drifts(ctx context.Context, q control.DriftQuery) error {
	var all []drift.Record
	err := a.work(ctx, false, nil, func(ctx context.Context, s *session) (err error) {
		all, err = s.Drifts(ctx, q)
		return err
	})
	if err != nil && a.format != "json" {
		return err
	}
	if a.format == "csv" {
		return driftCSV(a.out(), all)
	}
	return errors.Join(err, a.print(driftsOf(all, err), func(w io.Writer, s report.Style) error {
		return report.DriftTable(w, all, q.Ended, a.now(), s)
	}))
}

func (a *app) driftHistoryCommand() *cobra.Command {
	q := control.DriftQuery{Ended: true}
	since := "90d"
	cmd := &cobra.Command{
		Use:   "history [UNIT]",
		Short: "Show when each drift began, ended, and by whom",
		Long: `Every drift that is open, and those that ended, the oldest first: when it was seen
first, what was changed by whom where that is known, when it was gone, and whether a
run of Mooring's, a rule, or somebody outside ended it.`,
		Example: `  mooring drift history --since 30d
  mooring drift history infra/network -o csv`,
		Args: arguments(0, 1, "[UNIT]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				q.Unit = args[0]
			}
			ago, err := howLong(since)
			if err != nil || ago < 0 {
				return fmt.Errorf("--since is %q: say how long ago, as 12h or 30d", since)
			}
			q.Since = a.now().Add(-ago)
			return a.drifts(cmd.Context(), q)
		},
		ValidArgsFunction: a.completeUnits,
	}
	cmd.Flags().StringVar(&q.Repository, "repository", "", "of this repository only")
	cmd.Flags().StringVar(&since, "since", since, "leave out what ended longer ago: 12h, 30d")
	_ = cmd.RegisterFlagCompletionFunc("repository", a.completeRepositories) // fails only for a flag that is not there
	return a.withOutput(cmd, "csv")
}

func (a *app) driftAckCommand() *cobra.Command {
	k := control.Acknowledgement{}
	until := ""
	cmd := &cobra.Command{
		Use:   "ack DRIFT|UNIT --until WHEN",
		Short: "Say that a drift is known: nobody is reminded of it until then",
		Long: `Records who knows of a drift, or of all that are open of a unit, until when and why.
Nobody is reminded of it meanwhile. The word is about the drift as it is: where it
changes, it is told again. What is meant to stay for good is an ignore rule in
mooring.hcl, which is reviewed.`,
		Example: `  mooring drift ack d7 --until 2w --why "rolled back on Monday"
  mooring drift ack infra/network --until 2026-12-24`,
		Args: arguments(1, 1, "DRIFT|UNIT --until WHEN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			k.Drift = args[0]
			if k.By == "" {
				k.By = a.user()
			}
			var err error
			if k.Until, err = a.when(until); err != nil {
				return err
			}
			var all []drift.Record
			err = a.work(cmd.Context(), false, nil, func(ctx context.Context, s *session) (err error) {
				all, err = s.Acknowledge(ctx, k)
				return err
			})
			if err != nil {
				return a.failed(err)
			}
			return a.print(driftsOf(all, nil), func(w io.Writer, s report.Style) error { return report.Acknowledged(w, all, s) })
		},
		ValidArgsFunction: a.completeUnits,
	}
	cmd.Flags().StringVar(&until, "until", "", "until when: a date (2026-12-24), a moment (RFC 3339), or for how long (8h, 3d, 2w)")
	cmd.Flags().StringVar(&k.Why, "why", "", "what others should know of it")
	cmd.Flags().StringVar(&k.By, "by", "", "who says it (default: the user)")
	cmd.Flags().StringVar(&k.Repository, "repository", "", "where ids repeat: the repository of the unit")
	_ = cmd.MarkFlagRequired("until")                                        // as below
	_ = cmd.RegisterFlagCompletionFunc("repository", a.completeRepositories) // fails only for a flag that is not there
	return a.withOutput(cmd)
}

// when reads a moment ahead: a day ends at its end, here.
func (a *app) when(text string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return t.AddDate(0, 0, 1), nil
	}
	d, err := howLong(text)
	if err != nil || d <= 0 {
		return time.Time{}, fmt.Errorf("--until is %q: use a date (2026-12-24), a moment (2026-12-24T12:00:00Z) or for how long (8h, 3d, 2w)", text)
	}
	return a.now().Add(d), nil
}

// driftCSV prints drifts for spreadsheets. A cell never begins as a formula does.
func driftCSV(w io.Writer, all []drift.Record) error {
	c := csv.NewWriter(w)
	rows := [][]string{{"id", "repository", "unit", "address", "kind", "class", "change", "severity", "began", "ended", "ended_by", "seconds", "acknowledged_by", "what"}}
	for _, d := range all {
		ended, seconds := "", ""
		if d.Ended != nil {
			ended, seconds = d.Ended.UTC().Format(time.RFC3339), fmt.Sprint(int64(d.Ended.Sub(d.Began).Seconds()))
		}
		by := ""
		if d.Ack != nil {
			by = d.Ack.By
		}
		rows = append(rows, []string{d.ID, d.Repository, d.Unit, d.Address, d.Kind, string(d.Class), string(d.Change), string(d.Severity), d.Began.UTC().Format(time.RFC3339), ended, d.EndedBy, seconds, by, d.Finding.String()})
	}
	for _, r := range rows {
		for i, cell := range r {
			r[i] = report.Cell(cell)
		}
	}
	return errors.Join(c.WriteAll(rows), c.Error())
}

// howLong reads a duration that may be said in days and weeks: 12h, 3d, 2w.
func howLong(text string) (time.Duration, error) {
	for unit, days := range map[string]int{"d": 1, "w": 7} {
		if n, ok := strings.CutSuffix(text, unit); ok {
			count, err := strconv.Atoi(n)
			return time.Duration(count*days) * 24 * time.Hour, err
		}
	}
	return time.ParseDuration(text)
}
