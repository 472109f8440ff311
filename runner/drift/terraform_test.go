package drift

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	tfjson "github.com/hashicorp/terraform-json"
)

// TestAPlanIsClassified reads plans of a real Terraform, each recorded at the end of a story.
func TestAPlanIsClassified(t *testing.T) {
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			if *update {
				s.record(t)
			}
			found := Terraform(readPlan(t, s.file()), s.state, []byte("key"))
			got := lines(found)
			if diff := cmp.Diff(s.want, got); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
			said, err := json.Marshal(found)
			if err != nil {
				t.Fatal(err)
			}
			if all := string(said) + strings.Join(got, "\n"); strings.Contains(all, "canary") {
				t.Errorf("a secret is told: %s", all)
			}
		})
	}
}

func readPlan(t *testing.T, file string) *tfjson.Plan {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p := &tfjson.Plan{}
	if err := json.Unmarshal(raw, p); err != nil {
		t.Fatal(err)
	}
	return p
}
