package runner

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/policies/preflight"
	"github.com/mooring-iac/mooring/workspace"
)

// letIn is a person's yes to what a head adds that could read or run something: to
// exactly that, and to no other head.
type letIn struct {
	Head string   `json:"head"`
	Adds []string `json:"adds"` // digests of what was found, one for each unit
	By   string   `json:"by"`
}

// has tells whether the yes is one to what a unit of a head adds.
func (l *letIn) has(head, adds string) bool {
	return l != nil && adds != "" && l.Head == head && slices.Contains(l.Adds, adds)
}

// adds judges, from the files alone, what a unit of a pull request adds to what the branch
// uses already: before init, for that may run it.
func (x *reviewRun) adds(t task) (*policies.Verdict, error) {
	rules := x.repo.cfg.Policies.Preflight
	if rules.Mode == preflight.Off || t.removal {
		return nil, nil // what goes is planned from the branch's files
	}
	uses, err := x.uses.head.of(t.unit)
	if err != nil {
		return nil, err
	}
	overrides, err := cliOverrides(x.r.opts.CLIConfig)
	if err != nil {
		return nil, err
	}
	base, err := x.uses.base.of(t.unit.ID)
	if err != nil {
		return nil, err
	}
	v := &policies.Verdict{Findings: preflight.Judge(rules, usedBy(append(uses, overrides...)), usedBy(base))}
	return v, nil
}

// usesOfPull answers what the units of a pull request use, and what the branch does.
func (x *reviewRun) usesOfPull() usesBetween {
	tree := func(commit string) func() (workspace.Tree, error) {
		return func() (workspace.Tree, error) { return x.repo.mirror.Tree(commit) }
	}
	return newUsesBetween(tree(x.commit()), tree(x.plan.Base), func() (*workspace.Graph, error) { return x.before, nil })
}

// cliOverrides are the providers that Terraform's own configuration takes from elsewhere
// than their registry: no lock file holds those.
func cliOverrides(file string) ([]workspace.Use, error) {
	if file == "" {
		return nil, nil
	}
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read Terraform's CLI configuration: %w", err)
	}
	return workspace.CLIOverrides(file, src), nil
}

func usedBy(all []workspace.Use) []preflight.Use {
	uses := make([]preflight.Use, 0, len(all))
	for _, u := range all {
		uses = append(uses, preflight.Use{
			Kind: string(u.Kind), Name: u.Name, Source: u.Source, Version: u.Version, Digest: u.Digest, File: u.File, Line: u.Line,
		})
	}
	return uses
}

// admit says how a unit ends that must not be planned yet, or never; "" lets it be planned.
func (x *reviewRun) admit(t task, v *reviewed) (Status, string, error) {
	found, err := x.adds(t)
	if err != nil || found == nil || len(found.Findings) == 0 {
		return "", "", err
	}
	v.Adds = found
	status, why := holds(found)
	if status != Held {
		return status, why, nil
	}
	if x.pull.LetIn.has(x.plan.Head, digestOfFindings(found.Findings)) {
		v.LetIn = x.pull.LetIn.By
		return "", "", nil
	}
	return status, why, nil
}

// holds says how a unit ends that nothing of may run for what was found in its files, and why; "" where it may.
func holds(found *policies.Verdict) (Status, string) {
	switch {
	case found == nil:
		return "", ""
	case found.Denied():
		return Failed, "not planned, so that nothing of it runs: " + words(found.Findings, policies.Deny)
	case len(found.Needs()) > 0:
		return Held, "not planned, so that nothing of it runs before somebody has looked at it: " + words(found.Findings, policies.Ask)
	}
	return "", "" // warnings
}

func digestOfFindings(all []policies.Finding) string {
	data, err := json.Marshal(all)
	if err != nil {
		return "" // nobody's yes fits
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// letRun records a person's yes to what units add that are held before they are planned,
// and asks for their plan. It fails with ErrNothingWaits where none is.
func (r *Runner) letRun(tx *bbolt.Tx, run *Run, units []string, by string) error {
	p, err := pullOfRun(tx, run)
	if err != nil {
		return err
	}
	if p.Ended || !p.planned() || p.Plan.Run != run.ID {
		return fmt.Errorf("%w: there is a newer plan, or it has ended", ErrNothingWaits)
	}
	all, err := reviewedPlans(tx, p.Repository, p.ID)
	if err != nil {
		return err
	}
	if p.LetIn == nil || p.LetIn.Head != p.Plan.Head {
		p.LetIn = &letIn{Head: p.Plan.Head}
	}
	for _, unit := range units {
		if k := all[unit]; k != nil && k.Status == Held && k.Adds != nil {
			p.LetIn.Adds = append(p.LetIn.Adds, digestOfFindings(k.Adds.Findings))
		}
	}
	p.LetIn.By, p.Again, p.Only, p.Stop = by, by, nil, ""
	return putPull(tx, p)
}

// pullOfRun is the pull request, or the review branch, that a run planned.
func pullOfRun(tx *bbolt.Tx, run *Run) (*pull, error) {
	if run.PullRequest > 0 {
		return getPull(tx, run.Repository, pullID(run.PullRequest))
	}
	return getPull(tx, run.Repository, run.Branch)
}

// heldUnits are the units of a run that wait before they are planned.
func heldUnits(run *Run) (ids []string) {
	for _, u := range run.Units {
		if u.Status == Held {
			ids = append(ids, u.ID)
		}
	}
	return ids
}
