package runner

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/policies"
)

// Buckets of reviews, beside the journal's others.
var (
	pullsBucket   = []byte("pulls")   // repository, pull → pull
	reviewsBucket = []byte("reviews") // repository, pull, unit → reviewed
)

// pull is what the journal knows of one pull request, or of one review branch of a
// repository without a forge. It is changed only inside transactions that read it
// first: the loop, a plan under way and a command may all have news of it.
type pull struct {
	Repository string            `json:"repository"`
	ID         string            `json:"id"`             // "#12", or the branch's name
	Seen       forge.PullRequest `json:"seen"`           // as it was when it was last looked at
	Heard      int64             `json:"heard"`          // the last comment that was listened to
	Fresh      time.Time         `json:"fresh,omitzero"` // since when its last change may still hide another one of the same second

	Allowed string   `json:"allowed,omitempty"` // the head of a fork that a person with write access let run
	Again   string   `json:"again,omitempty"`   // who asked for a new plan of the same head
	Stop    string   `json:"stop,omitempty"`    // who asked for no plan of this head any more
	Only    []string `json:"only,omitempty"`    // units that the new plan was asked for; none is all that are affected

	Plan    *pullPlan `json:"plan,omitempty"`    // the last plan of it
	Waits   []waitFor `json:"waits,omitempty"`   // before a merge: whose locks it stands behind
	Queued  uint64    `json:"queued,omitempty"`  // its place among those that stand behind somebody, 0 is none
	Wants   []string  `json:"wants,omitempty"`   // the units that it stands there for, free ones too
	Reviews []review  `json:"reviews,omitempty"` // who said yes to which plan
	Yeses   []review  `json:"yeses,omitempty"`   // the same, typed as a command
	LetIn   *letIn    `json:"let_in,omitempty"`  // who let run what it adds

	Left []policies.Need `json:"left,omitempty"` // whose yes the rules still want

	Applied string `json:"applied,omitempty"` // the run that applies, or applied, what was reviewed
	Before  string `json:"before,omitempty"`  // an earlier apply, after which what is left was planned again
	// Took has, by unit, the run that took what this brought to the branch.
	Took    map[string]string `json:"took,omitempty"`
	Ahead   []string          `json:"ahead,omitempty"`   // the runs that applied it before its merge
	Settled string            `json:"settled,omitempty"` // before a merge: the apply of which it is known what follows from it
	Trees   []string          `json:"trees,omitempty"`   // before a merge: the files that it was applied with, every time

	Report int64  `json:"report,omitempty"` // the comment that Mooring keeps up to date
	Posted string `json:"posted,omitempty"` // digest of what it says
	Ended  bool   `json:"ended,omitempty"`  // merged or closed, and settled
}

// pullPlan is one plan of a pull request: what was planned, and what came of it.
type pullPlan struct {
	Head   string `json:"head"`
	Base   string `json:"base"`   // the commit of the branch that it was merged with
	Commit string `json:"commit"` // what that merge gives; "" where it cannot be merged
	Run    string `json:"run,omitempty"`
	Failed string `json:"failed,omitempty"` // why there are no units: a conflict, a broken configuration
	Done   bool   `json:"done,omitempty"`
	// Content stands for everything that the plan says. A plan made again that says
	// the same has the same: a yes to one is a yes to the other.
	Content string `json:"content,omitempty"`
	Rules   string `json:"rules,omitempty"` // digest of the rules that it was to be judged by when it began
	Shown   bool   `json:"shown,omitempty"` // it was posted: from here on a yes is one to it
}

// waitFor is a unit that a pull request cannot have yet.
type waitFor struct {
	Unit string `json:"unit"`
	By   string `json:"by"` // "#7", or a run
}

// review is what a person said, and what was there to be seen when it was heard.
type review struct {
	By      forge.User    `json:"by"`
	Verdict forge.Verdict `json:"verdict"`
	Commit  string        `json:"commit"`
	At      time.Time     `json:"at"`
	Content string        `json:"content,omitempty"` // of the plan that was shown then; "" is none: such a yes is one to no plan
}

// reviewed is the plan of one unit as it was shown in a review.
type reviewed struct {
	heldPlan
	Unit     string `json:"unit"`
	Pull     string `json:"pull"`
	Run      string `json:"run"`
	Status   Status `json:"status"`
	Content  string `json:"content"`            // stands for what would change, sensitive values included
	Needs    string `json:"needs,omitempty"`    // why the gate wants a person for it; "" where it does not
	Whole    bool   `json:"whole,omitempty"`    // every value was known: what is planned after the merge has to be the same
	Volatile bool   `json:"volatile,omitempty"` // refers to files that only the view of its making had: it is made again
	Removal  bool   `json:"removal,omitempty"`

	Adds    *policies.Verdict `json:"adds,omitempty"`    // what it adds that could read or run something; nil is nothing
	LetIn   string            `json:"let_in,omitempty"`  // who let that run
	Verdict *policies.Verdict `json:"verdict,omitempty"` // of the rules, on what would change; nil where there are none
}

// number is the pull request's on its forge; 0 of a review branch.
func (p *pull) number() int {
	if n, ok := strings.CutPrefix(p.ID, "#"); ok {
		if n, err := strconv.Atoi(n); err == nil {
			return n
		}
	}
	return 0
}

// planned tells that the last plan is of this head and has ended.
func (p *pull) planned() bool { return p.Plan != nil && p.Plan.Done && p.Plan.Head == p.Seen.Head }

// apart lets a new plan stand for itself: what was applied came before it.
func (p *pull) apart() {
	if p.Applied != "" {
		p.Before, p.Applied, p.Settled = p.Applied, "", ""
	}
}

func pullID(number int) string { return "#" + strconv.Itoa(number) }

var errNoPull = errors.New("no such pull request is known")

func getPull(tx *bbolt.Tx, repository, id string) (*pull, error) {
	p := &pull{}
	ok, err := getJSON(tx.Bucket(pullsBucket), unitKey(repository, id), p)
	if err != nil {
		return nil, fmt.Errorf("read what is known of %s: %w", id, err)
	}
	if !ok {
		return nil, fmt.Errorf("%s: %w", id, errNoPull)
	}
	return p, nil
}

func putPull(tx *bbolt.Tx, p *pull) error {
	if err := putJSON(tx.Bucket(pullsBucket), unitKey(p.Repository, p.ID), p); err != nil {
		return fmt.Errorf("remember %s: %w", p.ID, err)
	}
	return nil
}

// pulls returns everything known of a repository's pull requests, in the order of
// their numbers.
func pulls(tx *bbolt.Tx, repository string) ([]*pull, error) {
	var all []*pull
	prefix := unitKey(repository, "")
	c := tx.Bucket(pullsBucket).Cursor()
	for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
		p := &pull{}
		if err := json.Unmarshal(v, p); err != nil {
			return nil, fmt.Errorf("read what is known of %s: %w", k[len(prefix):], err)
		}
		all = append(all, p)
	}
	slices.SortStableFunc(all, func(a, b *pull) int { return a.number() - b.number() })
	return all, nil
}

// changePull reads, changes and stores what is known of a pull request. change may
// put more into the same transaction.
func (r *Runner) changePull(repository, id string, change func(tx *bbolt.Tx, p *pull) error) error {
	return r.journal.update(func(tx *bbolt.Tx) error {
		p, err := getPull(tx, repository, id)
		if err != nil {
			return err
		}
		if err := change(tx, p); err != nil {
			return err
		}
		return putPull(tx, p)
	})
}

func (r *Runner) pull(repository, id string) (p *pull, err error) {
	err = r.journal.view(func(tx *bbolt.Tx) error {
		p, err = getPull(tx, repository, id)
		return err
	})
	return p, err
}

func (r *Runner) pulls(repository string) (all []*pull, err error) {
	err = r.journal.view(func(tx *bbolt.Tx) error {
		all, err = pulls(tx, repository)
		return err
	})
	return all, err
}

func reviewKey(repository, id, unit string) []byte {
	return append(append(unitKey(repository, id), 0), unit...)
}

func putReviewed(tx *bbolt.Tx, repository string, v *reviewed) error {
	if err := putJSON(tx.Bucket(reviewsBucket), reviewKey(repository, v.Pull, v.Unit), v); err != nil {
		return fmt.Errorf("remember the plan of %s for %s: %w", v.Unit, v.Pull, err)
	}
	return nil
}

// reviewedPlans returns the plans of a pull request's units, by unit.
func reviewedPlans(tx *bbolt.Tx, repository, id string) (map[string]*reviewed, error) {
	all := map[string]*reviewed{}
	prefix := reviewKey(repository, id, "")
	c := tx.Bucket(reviewsBucket).Cursor()
	for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
		got := &reviewed{}
		if err := json.Unmarshal(v, got); err != nil {
			return nil, fmt.Errorf("read a plan of %s: %w", id, err)
		}
		all[got.Unit] = got
	}
	return all, nil
}

// dropReviewed forgets the plans of a pull request; their files go when the
// transaction is durable, but for one that something else has taken over.
func dropReviewed(tx *bbolt.Tx, repository, id string, keep func(*reviewed) bool) error {
	all, err := reviewedPlans(tx, repository, id)
	if err != nil {
		return err
	}
	for unit, v := range all {
		if keep != nil && keep(v) {
			continue
		}
		if err := tx.Bucket(reviewsBucket).Delete(reviewKey(repository, id, unit)); err != nil {
			return err
		}
		file := v.File
		tx.OnCommit(func() { removeFile(file) })
	}
	return nil
}

// appliedOf are the runs that took what a pull request brought to the branch: those
// are runs of a commit, and do not say so themselves.
func appliedOf(tx *bbolt.Tx, q RunsQuery) (map[string]bool, error) {
	ids := map[string]bool{}
	if q.Pull == 0 {
		return ids, nil
	}
	c := tx.Bucket(pullsBucket).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		p := &pull{}
		if err := json.Unmarshal(v, p); err != nil {
			return nil, fmt.Errorf("read what is known of a pull request: %w", err)
		}
		if p.number() == q.Pull && (q.Repository == "" || p.Repository == q.Repository) {
			ids[p.Applied], ids[p.Before] = true, true
		}
	}
	return ids, nil
}
