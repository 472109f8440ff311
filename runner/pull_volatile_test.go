package runner

import (
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// A plan that refers to files of its own making (an archive, say) is made again for its
// apply, and has to say the same.
func TestAPlanWhoseFilesMayBeGoneIsMadeAgain(t *testing.T) {
	f := newBeforeFixture(t, map[string]string{"app/main.tf": module(`"one"`)})
	pull := f.propose("topic", map[string]string{"app/main.tf": module(`"two"`)})
	f.sync()
	err := f.r.journal.update(func(tx *bbolt.Tx) error {
		kept, err := reviewedPlans(tx, "infra", pullID(pull.Number))
		if err != nil {
			return err
		}
		kept["app"].Volatile = true
		return putReviewed(tx, "infra", kept["app"])
	})
	if err != nil {
		t.Fatal(err)
	}
	before := strings.Count(f.r.logText(f.planOf(pull).ID, "app", 1<<20), "Terraform will perform the following actions")
	pull.Approve(f.reviewer)
	pull.Comment(f.author, "mooring apply")
	f.sync()
	f.sync()
	if got := f.state("app").Outputs["out"].Value; got != "two" {
		t.Errorf("app has %v\n%s", got, f.said(pull))
	}
	p, err := f.r.pull("infra", pullID(pull.Number))
	if err != nil || p.Applied == "" {
		t.Fatalf("%+v, %v", p, err)
	}
	if log := f.r.logText(p.Applied, "app", 1<<20); before != 1 || strings.Count(log, "Terraform will perform the following actions") != 1 {
		t.Errorf("it was not planned again for its apply:\n%s", log)
	}
}
