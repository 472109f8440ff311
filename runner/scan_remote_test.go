package runner

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/e2e/httpstate"
	"github.com/mooring-iac/mooring/runner/drift"
)

// A remote backend does not say what an apply left. What others then make of the state is out of band all the same, and
// stays so from scan to scan.
func TestAStateThatOthersMoveInARemoteBackendIsOutOfBand(t *testing.T) {
	s := httpstate.New()
	t.Cleanup(s.Close)
	f := newFixture(t, map[string]string{"a/main.tf": s.Backend("/a") + module(`"one"`)})
	f.expect("a applied")
	f.scan("a unchanged")
	edited := strings.ReplaceAll(string(s.State("/a").Raw), `"one"`, `"other"`)
	var state map[string]any
	if err := json.Unmarshal([]byte(edited), &state); err != nil {
		t.Fatal(err)
	}
	state["serial"] = state["serial"].(float64) + 1
	raw, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	s.SetState("/a", raw)
	for range 2 {
		if run := f.scan("a planned"); run.Units[0].Drift[0].Class != drift.OutOfBand {
			t.Errorf("it is %s", run.Units[0].Drift[0].Class)
		}
	}
}
