package runner

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/policies"
)

// stillNeeds says that a yes was recorded and is not enough.
func stillNeeds(unit string, left []policies.Need) string {
	return fmt.Sprintf("%s: the yes is recorded, and it still needs that of %s", unit, needWords(left))
}

// count records a yes in the run for good, and returns the units for which it is enough.
func (r *Runner) count(tx *bbolt.Tx, run *Run, units []string, d Decision) (enough []string, err error) {
	for _, id := range units {
		u := run.Unit(id)
		if u == nil || u.Policy == nil {
			enough = append(enough, id)
			continue
		}
		if len(u.Policy.Needs) > 0 {
			repo, err := r.repository(run.Repository)
			if err == nil {
				err = r.notOwn(tx, repo, run, d)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", id, err)
			}
		}
		said := *u.Policy
		if login := strings.ToLower(d.Login); !slices.Contains(said.Counted, login) {
			said.Counted = append(slices.Clone(said.Counted), login)
			said.Approvals = append(slices.Clone(said.Approvals), policies.Approval{By: d.By, At: r.opts.Now()})
			said.Needs = missing(said.Needs, []string{d.Login}, func(who, _ string) bool { return d.in(&r.opts, who) })
		}
		u.Policy = &said
		if err := putResult(tx, run.ID, *u); err != nil {
			return nil, err
		}
		if len(said.Needs) == 0 {
			enough = append(enough, id)
		}
	}
	return enough, nil
}

// errOwn is returned for a yes to what somebody has written themselves.
var errOwn = errors.New("the author's own yes does not count: somebody else has to say it")

// notOwn fails where the one who decides wrote what the run takes, unless the operator lets that count: the author of its pull
// request, who merged it or not. A commit without one has no login: its author's name, address and what stands before the @
// are taken for that.
func (r *Runner) notOwn(tx *bbolt.Tx, repo *repository, run *Run, d Decision) error {
	if repo.cfg.Policies.SelfApproval {
		return nil
	}
	authors := []string{run.Author}
	if name, address, ok := strings.Cut(strings.TrimSuffix(run.Author, ">"), " <"); ok {
		local, _, _ := strings.Cut(address, "@")
		authors = append(authors, name, address, local)
	}
	if run.PullRequest > 0 {
		p, err := getPull(tx, run.Repository, pullID(run.PullRequest))
		switch {
		case err == nil:
			authors = []string{p.Seen.Author.Login}
		case !errors.Is(err, errNoPull):
			return err
		}
	}
	for _, a := range authors {
		if a != "" && (strings.EqualFold(a, d.Login) || strings.EqualFold(a, d.By)) {
			return errOwn
		}
	}
	return nil
}
