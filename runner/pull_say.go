package runner

import (
	"encoding/json"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/internal/outbox"
)

// note is what waits in the outbox: one thing to tell a forge.
type note struct {
	Pull    string              `json:"pull"`
	Report  bool                `json:"report,omitempty"` // bring the report up to date
	Commit  string              `json:"commit,omitempty"` // set a status of it
	Status  *forge.Status       `json:"status,omitempty"`
	Comment int64               `json:"comment,omitempty"` // react to it
	React   forge.Reaction      `json:"react,omitempty"`
	Answer  string              `json:"answer,omitempty"` // say this once; the marker tells it from others
	Marker  string              `json:"marker,omitempty"`
	Merge   *forge.MergeRequest `json:"merge,omitempty"`
}

func queueOf(repository string) string { return "forge " + repository }

// put has something told. It is told once the transaction is durable, and until it is
// heard; a newer text for the same key takes the place of one that still waits.
func (r *Runner) put(tx *bbolt.Tx, repository, key string, n note) error {
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return outbox.Put(tx, r.opts.Now(), outbox.Item{Queue: queueOf(repository), Key: key, Body: body})
}

// tell wakes whoever posts.
func (v *reviewer) tell() {
	select {
	case v.outgo <- struct{}{}:
	default: // one wish is enough
	}
}

// announce has the report and the statuses of a pull request brought up to date with
// what the transaction writes. The caller stores the pull request.
func (v *reviewer) announce(tx *bbolt.Tx, p *pull) error {
	defer tx.OnCommit(v.tell)
	if !v.tellsOf(p) {
		return nil
	}
	if p.number() > 0 {
		if err := v.r.put(tx, p.Repository, "report "+p.ID, note{Pull: p.ID, Report: true}); err != nil {
			return err
		}
	}
	planned, err := v.planReport(tx, p)
	if err != nil {
		return err
	}
	all := planStatuses(p, planned.Report)
	if err := v.addApplied(tx, p, planned); err != nil {
		return err
	}
	if s, ok := appliedStatus(p, planned.Report); ok {
		all = append(all, s)
	}
	return v.setStatuses(tx, p, all)
}

// tellsOf tells whether the forge hears of a plan: of a pull request, and of what its
// merge queue tries, by statuses alone.
func (v *reviewer) tellsOf(p *pull) bool {
	return v.forge != nil && (p.number() > 0 || inMergeQueue(p.Seen.HeadRef, p.Seen.Base))
}

// pending says that a plan is under way.
func (v *reviewer) pending(tx *bbolt.Tx, p *pull) error {
	defer tx.OnCommit(v.tell)
	if !v.tellsOf(p) {
		return nil
	}
	return v.setStatuses(tx, p, []forge.Status{{Context: planStatus, Check: forge.Pending, Description: "planning", URL: v.runPage(p.Plan.Run)}})
}
