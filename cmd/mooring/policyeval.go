package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/policies/output"
	"github.com/mooring-iac/mooring/runner"
)

func (a *app) policyEvalCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "eval [RUN]",
		Short: "Show what policies said of each unit of a run, and who said yes",
		Long: `Shows what is recorded of one run, the newest when none is named: each rule that said
something, why, where the cause is, whom it asks for; whose yes is still missing and
who gave theirs. Nothing is evaluated again: it is what decided. RUN is a run's id,
'#12' for the newest run of pull request 12, or a branch.`,
		Example: `  mooring policy eval r12 -c server.hcl
  mooring policy eval '#12' -o json
  mooring policy eval r12 -o sarif > policy.sarif`,
		Args:              arguments(0, 1, "[RUN]"),
		ValidArgsFunction: a.completeRuns(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := ""
			if len(args) == 1 {
				id = args[0]
			}
			return a.policyEval(cmd.Context(), id)
		},
	}
	return a.withOutput(cmd, "table", "sarif", "junit")
}

// evaluated is the part of a run that policies are about.
type evaluated struct {
	Run         string          `json:"run"`
	Repository  string          `json:"repository"`
	Commit      string          `json:"commit"`
	PullRequest int             `json:"pull_request,omitempty"`
	Units       []evaluatedUnit `json:"units"` // those that a rule was asked about
}

type evaluatedUnit struct {
	ID string `json:"id"`
	*runner.PolicyResult
}

func (a *app) policyEval(ctx context.Context, id string) error {
	var run runner.Run
	err := a.work(ctx, false, nil, func(ctx context.Context, s *session) (err error) {
		run, err = find(ctx, s, id)
		return err
	})
	if err != nil {
		return a.failed(err)
	}
	if a.judged() {
		return a.printVerdicts(&run)
	}
	e := evaluated{Run: run.ID, Repository: run.Repository, Commit: run.Commit, PullRequest: run.PullRequest, Units: []evaluatedUnit{}}
	for _, u := range run.Units {
		if u.Policy != nil {
			e.Units = append(e.Units, evaluatedUnit{u.ID, u.Policy})
		}
	}
	return a.print(e, func(w io.Writer, s report.Style) error { return report.Policies(w, &run, s) })
}

// judged tells whether a format is asked for that knows verdicts and nothing else.
func (a *app) judged() bool { return a.format == "sarif" || a.format == "junit" }

func (a *app) printVerdicts(run *runner.Run) error {
	if a.format == "junit" {
		return output.JUnit(a.out(), verdicts(run))
	}
	return output.SARIF(a.out(), buildVersion(), verdicts(run))
}

// verdicts are what there is to say of a run in words of policies. What failed has not
// passed, whatever was or was not said of it.
func verdicts(run *runner.Run) []output.Result {
	all := []output.Result{}
	if run.Error != "" {
		all = append(all, output.Result{Unit: run.Repository, Verdict: failure("run.failed", run.Error)})
	}
	for _, u := range run.Units {
		r := output.Result{Unit: u.ID}
		if u.Policy != nil {
			r.Verdict = u.Policy.Verdict
		}
		if unfinished(u.Status) && !r.Verdict.Denied() {
			why := u.Error
			if why == "" {
				why = u.Reason
			}
			if why == "" {
				why = fmt.Sprintf("the unit is %s", u.Status)
			}
			failed := failure("unit."+string(u.Status), why)
			r.Verdict.Findings = append(failed.Findings, r.Verdict.Findings...)
		}
		all = append(all, r)
	}
	return all
}

// unfinished tells that a unit ended before anybody knew what it would do.
func unfinished(s runner.Status) bool {
	return s == runner.Failed || s == runner.Skipped || s == runner.Interrupted
}

func failure(rule, why string) policies.Verdict {
	return policies.Verdict{Findings: []policies.Finding{{Effect: policies.Deny, Rule: rule, Message: report.Clean(why)}}}
}
