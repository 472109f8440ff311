package runner

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/terraform"
	"github.com/mooring-iac/mooring/locks"
)

// inUse is what the journal says is used at one moment. What stands on disk must
// be listed before that moment: a thing that nothing names then, and that no lock
// covers, will be named by nothing later.
type inUse struct {
	runs  map[string]bool // open ones, and those that a memory, a lock or a decision names
	plans map[string]bool // files that wait for a person
	known map[string]bool // warm names of workspaces that are remembered
	alike []string        // beginnings of warm names: of memories older than memory.Key
	held  map[string]bool // warm names of workspaces whose lock is held

	commits map[string]bool // merges that were planned and still are wanted
}

// workspace tells that a workspace of the warm name is known, or under way for
// the first time.
func (u *inUse) workspace(name string) bool {
	if u.known[name] || u.held[name] {
		return true
	}
	for _, beginning := range u.alike {
		if strings.HasPrefix(name, beginning) {
			return true
		}
	}
	return false
}

// plan tells that a plan file waits, or is a running unit's: between its end and
// the record of it no memory names the file, and while it is applied none does.
func (u *inUse) plan(file string) bool {
	owner := terraform.PlanOwner(file)
	return u.plans[file] || u.held[owner] || owner == "" && len(u.held) > 0
}

func (r *Runner) inUse() (u *inUse, err error) {
	err = r.journal.view(func(tx *bbolt.Tx) error {
		u, err = readInUse(tx)
		return err
	})
	return u, err
}

func readInUse(tx *bbolt.Tx) (*inUse, error) {
	u := &inUse{runs: map[string]bool{}, plans: map[string]bool{}, known: map[string]bool{}, held: map[string]bool{}, commits: map[string]bool{}}
	err := tx.Bucket(openBucket).ForEach(func(k, _ []byte) error {
		u.runs[runID(k)] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	// A decision on a run that ended goes with the next pass, which reads the run.
	err = tx.Bucket(decisionBucket).ForEach(func(k, _ []byte) error {
		u.runs[runID(k)] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = tx.Bucket(reposBucket).ForEach(func(k, v []byte) error {
		var m repositoryMemory
		if err := json.Unmarshal(v, &m); err != nil {
			return fmt.Errorf("read what is known of %s: %w", k, err)
		}
		u.runs[m.HeldRun], u.runs[m.Broken] = true, true
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = tx.Bucket(unitsBucket).ForEach(func(_, v []byte) error {
		var m memory
		if err := json.Unmarshal(v, &m); err != nil {
			return fmt.Errorf("read what is known of a unit: %w", err)
		}
		u.remember(&m)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := u.reviews(tx); err != nil {
		return nil, err
	}
	all, err := locks.List(tx)
	for _, l := range all {
		u.runs[l.Run] = true
		if l.Key.Kind == string(KindWorkspace) {
			workspace, backend, _ := strings.Cut(l.Key.Workspace, "\x00") // as lockKey joins them
			u.held[terraform.WarmName(l.Repository, keyOf(l.Key.Dir, workspace, backend))] = true
		}
	}
	return u, err
}

// reviews adds what pull requests name: the runs and commits of open ones, and the
// plans of all that still have some.
func (u *inUse) reviews(tx *bbolt.Tx) error {
	err := tx.Bucket(pullsBucket).ForEach(func(_, data []byte) error {
		var p pull
		if err := json.Unmarshal(data, &p); err != nil {
			return fmt.Errorf("read what is known of a pull request: %w", err)
		}
		if p.Plan != nil && (!p.Ended || u.runs[p.Applied]) { // what still waits is decided with its plan in sight
			u.runs[p.Plan.Run], u.runs[p.Applied], u.commits[p.Plan.Commit] = true, true, true
			for _, run := range p.Ahead {
				u.runs[run] = u.runs[run] || !p.Ended
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return tx.Bucket(reviewsBucket).ForEach(func(_, data []byte) error {
		var v reviewed
		if err := json.Unmarshal(data, &v); err != nil {
			return fmt.Errorf("read a plan of a pull request: %w", err)
		}
		u.plans[v.File], u.runs[v.Run] = true, true
		return nil
	})
}

func (u *inUse) remember(m *memory) {
	u.commits[m.Converged] = true
	if m.Taken != nil {
		u.runs[m.Taken.Run], u.commits[m.Taken.Commit] = true, true
	}
	if m.Intent != nil {
		u.runs[m.Intent.Run] = true
	}
	if m.Plan != nil {
		u.plans[m.Plan.File] = true
	}
	switch {
	case m.Kind != KindWorkspace:
	case m.Key != "":
		u.known[terraform.WarmName(m.Repository, m.Key)] = true
	default:
		u.alike = append(u.alike, terraform.ReadablePart(terraform.WarmName(m.Repository, keyOf(m.Dir, "default", ""))))
	}
}
