package runner

import (
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/runner/drift"
	"github.com/mooring-iac/mooring/workspace"
)

// mostHealings is how often the same drift is healed by an apply before somebody has to look: who changes it back again
// will do so once more.
const mostHealings = 2

// heal has a pass of the loop converge a unit again, where the repository asks for that, the operator allows it and
// nothing speaks against it. It says in words what came of that; "" where nobody asked for it.
func (x *scanRun) heal(tx *bbolt.Tx, l *looked, ended []drift.Record, now time.Time) (string, error) {
	u := x.tasks[l.ID].unit
	heals := u.Drift.Remediate == workspace.RemediateApply || u.Drift.Heal
	if !heals || len(l.Drift) == 0 {
		return "", nil
	}
	m, err := getMemory(tx, x.run.Repository, l.ID)
	if err != nil {
		return "", err
	}
	if why, passes := x.against(l, m, ended, now); why != "" {
		if !passes {
			l.unhealed = why
		}
		return "not healed: " + why, nil
	}
	m.Taken = &taken{Run: x.run.ID, Commit: m.Converged, Base: m.Base, Status: Skipped, Heals: true}
	tx.OnCommit(func() {
		x.repo.undone.Store(true)
		x.repo.wish()
	})
	return "healed by the next pass", putMemory(tx, m)
}

// against says what speaks against healing a unit by an apply, or "". What passes by itself nobody needs to look at.
func (x *scanRun) against(l *looked, m *memory, ended []drift.Record, now time.Time) (why string, passes bool) {
	switch {
	case x.repo.cfg.Drift.Remediate != workspace.RemediateApply:
		return `the operator does not allow it (drift { remediate = "apply" } of the repository in server.hcl)`, false
	case !x.repo.cfg.Apply.applies():
		return fmt.Sprintf("the loop applies nothing here: apply is %q", x.repo.cfg.Apply), false
	case x.stands[l.ID].undeployed || !m.stands() || m.Taken != nil:
		return "the unit is not at the commit of the branch", true
	case l.partial:
		return "not everything could be looked at", true
	case l.Destroy > 0:
		return fmt.Sprintf("the plan destroys %d", l.Destroy), false
	case l.refused != "":
		return l.refused, false
	}
	acts := false
	for _, d := range l.Drift {
		if d.Class == drift.OutOfBand {
			acts = true
		}
		if n := drift.Recurrences(ended, d.Address, d.Class, now.Add(-breakerSight)); n >= mostHealings {
			return fmt.Sprintf("%s was healed %d times in 30 days and came back: find out who changes it, then `mooring sync`", d.Address, n), false
		}
	}
	if !acts {
		return "an apply would not change what was found", false
	}
	return "", false
}

// healLevel is the gate of a run that nobody but a schedule asked for: it destroys nothing, whatever the repository says
// of commits.
func healLevel(level policies.Level) policies.Level {
	strict, _ := policies.Within(policies.NoDestroy, level)
	return strict
}

// drifted names the fields of a set's objects that were changed behind it, by object. Of one that is gone it names none.
func (r *Runner) drifted(repository, unit string) (map[string][]string, error) {
	fields := map[string][]string{}
	err := r.journal.view(func(tx *bbolt.Tx) error {
		open, err := openDrifts(tx, repository, unit)
		for _, d := range open {
			if d.Class != drift.OutOfBand {
				continue
			}
			if fields[d.Address] == nil {
				fields[d.Address] = []string{}
			}
			for _, f := range d.Fields {
				fields[d.Address] = append(fields[d.Address], f.Path)
			}
		}
		return err
	})
	return fields, err
}
