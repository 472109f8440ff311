package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mooring-iac/mooring/cmd/mooring/control"
	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/cmd/mooring/serverconfig"
	"github.com/mooring-iac/mooring/runner"
)

// Completion asks what is cheap to ask, and is silent when it cannot.

func (a *app) completeRepositories(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	cfg, _, _ := serverconfig.Load(a.configPath(), a.env)
	if cfg == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []cobra.Completion
	for _, r := range cfg.Repositories {
		names = append(names, r.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// recent returns the newest runs.
func (a *app) recent(ctx context.Context, q control.Query) []runner.Run {
	cfg, _, _ := serverconfig.Load(a.configPath(), a.env)
	if cfg == nil {
		return nil
	}
	if _, err := os.Stat(filepath.Join(cfg.DataDir, "mooring.db")); err != nil {
		return nil // nothing is made for a completion
	}
	s, err := a.open(cfg, false, nil)
	if err != nil {
		return nil
	}
	runs, _ := s.Runs(ctx, q)
	if s.close() != nil {
		return nil
	}
	return runs
}

// completeRuns offers runs, and after the first argument the units of that run
// that wait.
func (a *app) completeRuns(waiting bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		runs := a.recent(cmd.Context(), control.Query{Limit: 20, Waiting: waiting})
		var all []cobra.Completion
		for i := range runs {
			r := &runs[i]
			if len(args) == 0 {
				all = append(all, cobra.CompletionWithDesc(r.ID, report.CleanLine(strings.TrimSpace(string(r.Status)+" "+r.Repository+" "+r.Subject))))
			} else if waiting && r.ID == args[0] {
				for _, u := range r.Units {
					if u.Status == runner.Held && !slices.Contains(args[1:], u.ID) {
						all = append(all, u.ID)
					}
				}
			}
		}
		return all, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeUnits offers the units of recent runs.
func (a *app) completeUnits(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var all []cobra.Completion
	for _, r := range a.recent(cmd.Context(), control.Query{Limit: 20}) {
		for _, u := range r.Units {
			all = append(all, u.ID)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), cobra.ShellCompDirectiveNoFileComp
}
