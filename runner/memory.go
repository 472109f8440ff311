package runner

import (
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/k8s"
)

// repositoryMemory is what the journal knows of a repository.
type repositoryMemory struct {
	Head    string `json:"head"`               // the last commit whose pass came to its end
	HeldRun string `json:"held_run,omitempty"` // the run that holds the head as a whole
	Broken  string `json:"broken,omitempty"`   // the failed run of a head whose configuration cannot be read
	Allowed string `json:"allowed,omitempty"`  // a head that removes much and that a person let go on
	Before  string `json:"before,omitempty"`   // where the head was not taken whole: the last commit that was
	// Lent are the units that the head was taken without, since a pull request had them.
	Lent []string `json:"lent,omitempty"`
}

// memory is what the journal knows of a unit between runs. A unit is compared
// with its own last converged commit, so that one that failed or waits is not
// forgotten by a later commit that leaves it alone.
type memory struct {
	Repository string `json:"repository"`
	ID         string `json:"id"`
	Kind       Kind   `json:"kind"`
	Dir        string `json:"dir,omitempty"`
	Workspace  string `json:"workspace,omitempty"`
	Path       string `json:"path,omitempty"`
	Cluster    string `json:"cluster,omitempty"`
	Place      string `json:"place,omitempty"` // of its state, as the files name it
	Key        string `json:"key,omitempty"`   // of a workspace: what its warm directories are named for

	Met       string      `json:"met,omitempty"`       // the branch's head before the first run of it
	Converged string      `json:"converged,omitempty"` // commit last applied, or found unchanged
	Base      string      `json:"base,omitempty"`      // of what a pull request applied before its merge: the commit whose mooring.hcl that went by
	Taken     *taken      `json:"taken,omitempty"`     // how the last run left it, where that was not convergence
	State     stateMemory `json:"state"`
	StateLeft bool        `json:"state_left,omitempty"` // State is what we left; else what the plan of the last apply saw
	Outputs   outputs     `json:"outputs,omitempty"`    // the last good ones
	Upstream  *upstream   `json:"upstream,omitempty"`   // what it took from others when it converged; nil is nothing, or not known
	Plan      *heldPlan   `json:"plan,omitempty"`       // the saved plan that waits
	Intent    *intent     `json:"intent,omitempty"`     // an apply that was started and not recorded as ended
	Departed  *departed   `json:"departed,omitempty"`
	// Touched tells that an apply was started once, whatever became of it.
	Touched bool `json:"touched,omitempty"`
	// Unseen tells that nobody saw how an apply ended. It goes with convergence, and
	// with nothing else: a plan that fails in between does not make it known.
	Unseen bool `json:"unseen,omitempty"`

	Inventory json.RawMessage `json:"inventory,omitempty"` // of a manifest set: what it may prune
}

// pristine tells that the unit never made anything, as far as anybody knows.
func (m *memory) pristine() bool {
	return !m.Touched && m.Converged == "" && m.State == stateMemory{} && len(m.Inventory) == 0
}

// stands tells that what depends on the unit can go on: it converged, or a person
// said no to a change of what had.
func (m *memory) stands() bool {
	return m.Converged != "" && (m.Taken == nil || m.Taken.Status == Discarded)
}

// reading is what the unit was read from when it converged last.
func (m *memory) reading() reading { return reading{m.Converged, m.Base} }

// cutShort tells that a run of the unit may have left Terraform's state lock behind.
func (m memory) cutShort() bool { return m.Unseen || m.Taken != nil && m.Taken.Cut }

// taken is how a run left a unit that did not converge.
type taken struct {
	Run    string `json:"run"`
	Commit string `json:"commit"`
	Base   string `json:"base,omitempty"` // as in memory
	Status Status `json:"status"`
	// Began is true where an apply had started: what failed after that is not
	// tried again until a person or a commit asks.
	Began bool `json:"began,omitempty"`
	// Cut is set where Mooring ended before the unit did.
	Cut bool `json:"cut,omitempty"`
	// Heals is set where a drift scan asks for a run: no commit does.
	Heals bool `json:"heals,omitempty"`
	// Removal is set where the run was to end the unit: only that makes an approval
	// one of the end.
	Removal bool `json:"removal,omitempty"`
}

// reading is what the unit was read from.
func (t *taken) reading() reading { return reading{t.Commit, t.Base} }

// stateMemory is what the last run saw of a workspace's state. A state that does
// not continue it is held (continuity.go).
type stateMemory struct {
	Identity  string `json:"identity,omitempty"` // backend, its configuration, Terraform workspace
	Lineage   string `json:"lineage,omitempty"`
	Serial    uint64 `json:"serial,omitempty"`
	Resources int    `json:"resources,omitempty"`
}

// heldPlan is a saved plan that waits for a person, with everything it was made
// from. It is applied only where all of that still holds.
type heldPlan struct {
	File    string    `json:"file,omitempty"` // "" where the plan has no changes and only the hold needs an answer
	Digest  string    `json:"digest,omitempty"`
	Bound   binding   `json:"bound"` // its state is the one that the person accepts by approving
	Destroy bool      `json:"destroy,omitempty"`
	Leaves  bool      `json:"leaves,omitempty"` // of a manifest set: what it holds in another cluster stays behind there
	Prunes  []k8s.ID  `json:"prunes,omitempty"` // of a manifest set: the objects that were shown as going
	Made    time.Time `json:"made"`
	Judged  string    `json:"judged,omitempty"` // of a manifest set that rules asked about: what was judged, by which rules
}

// intent is durable before an apply starts and goes when its end is recorded.
type intent struct {
	Run     string    `json:"run"`
	Digest  string    `json:"digest"` // of the plan file
	Lineage string    `json:"lineage"`
	Serial  uint64    `json:"serial"`
	Started time.Time `json:"started"`

	// What a Mooring that finds the apply after a restart needs to record its end.
	Dir      string      `json:"dir"`  // name of the run directory, in which its supervisor writes
	Tool     string      `json:"tool"` // terraform or tofu
	Before   stateMemory `json:"before"`
	Result   UnitResult  `json:"result"` // as the plan foretold it
	Removal  bool        `json:"removal,omitempty"`
	From     string      `json:"from,omitempty"`     // of a removal: the last commit that had the unit
	Consumed bool        `json:"consumed,omitempty"` // somebody wants its outputs
	Upstream *upstream   `json:"upstream,omitempty"` // as in memory
}

// words say which apply it was.
func (i *intent) words() string {
	return fmt.Sprintf("started %s, plan %.12s, state serial %d", i.Started.UTC().Format(time.RFC3339), i.Digest, i.Serial)
}

func (i *intent) unseen() string {
	return fmt.Sprintf("an apply ended without a word (%s): nobody saw how it went", i.words())
}

// departed marks a unit that the branch no longer has.
type departed struct {
	Why  string `json:"why"`  // destroy, manifests or orphaned
	From string `json:"from"` // the last commit that had it
}

func getMemory(tx *bbolt.Tx, repository, unit string) (*memory, error) {
	m := &memory{Repository: repository, ID: unit}
	if _, err := getJSON(tx.Bucket(unitsBucket), unitKey(repository, unit), m); err != nil {
		return nil, fmt.Errorf("read what is known of %s: %w", unit, err)
	}
	return m, nil
}

func putMemory(tx *bbolt.Tx, m *memory) error {
	if err := putJSON(tx.Bucket(unitsBucket), unitKey(m.Repository, m.ID), m); err != nil {
		return fmt.Errorf("remember %s: %w", m.ID, err)
	}
	return nil
}

// forget drops all that is known of a unit that is no more. Its open drifts end.
func forget(tx *bbolt.Tx, repository, unit string, at time.Time) error {
	if err := forgetDrifts(tx, repository, unit, at); err != nil {
		return err
	}
	return tx.Bucket(unitsBucket).Delete(unitKey(repository, unit))
}

// memories returns everything known of a repository's units, by id.
func memories(tx *bbolt.Tx, repository string) (map[string]*memory, error) {
	all := map[string]*memory{}
	prefix := unitKey(repository, "")
	c := tx.Bucket(unitsBucket).Cursor()
	for k, v := c.Seek(prefix); k != nil && len(k) >= len(prefix) && string(k[:len(prefix)]) == string(prefix); k, v = c.Next() {
		m := &memory{}
		if err := json.Unmarshal(v, m); err != nil {
			return nil, fmt.Errorf("read what is known of %s: %w", k[len(prefix):], err)
		}
		all[m.ID] = m
	}
	return all, nil
}

func getRepository(tx *bbolt.Tx, name string) (repositoryMemory, error) {
	var m repositoryMemory
	_, err := getJSON(tx.Bucket(reposBucket), []byte(name), &m)
	return m, err
}

func putRepository(tx *bbolt.Tx, name string, m repositoryMemory) error {
	return putJSON(tx.Bucket(reposBucket), []byte(name), m)
}
