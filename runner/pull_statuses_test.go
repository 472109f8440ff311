package runner

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/internal/outbox"
)

// A pull request may end at a head that nobody planned: the plan's status is of the head that was planned, and how it ended
// is said of the last one.
func TestHowAPullRequestEndedIsSaidOfItsLastHead(t *testing.T) {
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	v := &reviewer{r: &Runner{opts: Options{Now: func() time.Time { return now }}}}
	p := &pull{Repository: "infra", ID: "#1", Ended: true, Seen: forge.PullRequest{Head: "second", State: forge.Closed}, Plan: &pullPlan{Head: "first", Done: true}}
	got := map[string]string{}
	err = db.Update(func(tx *bbolt.Tx) error {
		if err := v.setStatuses(tx, p, []forge.Status{{Context: planStatus}, {Context: policyStatus}, {Context: applyStatus}}); err != nil {
			return err
		}
		items, _, err := outbox.Due(tx, queueOf("infra"), now)
		for _, it := range items {
			var n note
			if err := json.Unmarshal(it.Body, &n); err != nil {
				return err
			}
			got[n.Status.Context] = n.Commit
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for context, commit := range map[string]string{planStatus: "first", policyStatus: "first", applyStatus: "second"} {
		if got[context] != commit {
			t.Errorf("%s is said of %q, want %q", context, got[context], commit)
		}
	}
}
