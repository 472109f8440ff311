package comment

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	tfjson "github.com/hashicorp/terraform-json"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func readPlan(t testing.TB, name string) *tfjson.Plan {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "plans", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var p tfjson.Plan
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	return &p
}

// mixed is Terraform's own plan, rare is made by hand of what is seldom seen.
func TestDiff(t *testing.T) {
	for _, name := range []string{"mixed", "rare"} {
		t.Run(name, func(t *testing.T) {
			got := Diff(readPlan(t, name))
			golden(t, "diff-"+name+".txt", got)
			for _, secret := range []string{"hunter", "secret-", "now-a-secret", "drifted"} {
				if strings.Contains(got, secret) {
					t.Errorf("the diff shows %q", secret)
				}
			}
			for _, l := range strings.Split(strings.TrimSuffix(got, "\n"), "\n") {
				if l != "" && (!strings.ContainsRune("-+! ", rune(l[0])) || len(l) > 1 && l[1] != ' ') {
					t.Errorf("a line without its mark: %q", l)
				}
			}
			for range 5 {
				if Diff(readPlan(t, name)) != got {
					t.Fatal("two diffs of one plan differ")
				}
			}
		})
	}
}

func TestDiffOfNothing(t *testing.T) {
	if got := Diff(readPlan(t, "nothing")); got != "" {
		t.Errorf("a plan of nothing says:\n%s", got)
	}
	if got := Diff(nil) + Diff(&tfjson.Plan{}); got != "" {
		t.Errorf("no plan says %q", got)
	}
}

// What is sensitive on one side is shown on none, whatever shape the marks have.
func TestMasks(t *testing.T) {
	secret := map[string]any{"a": "secret-a", "l": []any{"secret-l", map[string]any{"x": "secret-x"}}, "m": map[string]any{"k": "secret-k"}}
	other := map[string]any{"a": "secret-b", "l": []any{"secret-m", map[string]any{"x": "secret-y"}, "secret-n"}, "m": map[string]any{"k": "secret-z"}}
	deep := map[string]any{"a": true, "l": []any{true, map[string]any{"x": true}, true}, "m": map[string]any{"k": true}}
	marks := map[string]any{
		"all": true, "deep": deep, "each": map[string]any{"a": true, "l": true, "m": true},
		"no mark we know":    "yes",
		"another shape":      map[string]any{"a": map[string]any{"b": true}, "l": map[string]any{"0": true}, "m": []any{true}},
		"a list for the map": []any{true},
	}
	for name, m := range marks {
		for _, c := range []*tfjson.Change{
			{Actions: tfjson.Actions{tfjson.ActionUpdate}, Before: secret, After: other, BeforeSensitive: m, AfterSensitive: m},
			{Actions: tfjson.Actions{tfjson.ActionCreate}, After: other, AfterSensitive: m},
			{Actions: tfjson.Actions{tfjson.ActionDelete}, Before: secret, BeforeSensitive: m},
		} {
			got := Diff(&tfjson.Plan{ResourceChanges: []*tfjson.ResourceChange{{Address: "a.b", Mode: tfjson.ManagedResourceMode, Type: "a", Name: "b", Change: c}}, OutputChanges: map[string]*tfjson.Change{"o": c}})
			if strings.Contains(got, "secret-") {
				t.Errorf("%s, %v:\n%s", name, c.Actions, got)
			}
			if !strings.Contains(got, sensitive) {
				t.Errorf("%s, %v: nothing is masked:\n%s", name, c.Actions, got)
			}
		}
	}
	// One side alone is enough: a value that stops being sensitive was a secret yesterday.
	for _, c := range []*tfjson.Change{
		{Actions: tfjson.Actions{tfjson.ActionUpdate}, Before: secret, After: other, BeforeSensitive: deep, AfterSensitive: map[string]any{}},
		{Actions: tfjson.Actions{tfjson.ActionUpdate}, Before: secret, After: secret, BeforeSensitive: false, AfterSensitive: true},
	} {
		got := Diff(&tfjson.Plan{ResourceChanges: []*tfjson.ResourceChange{{Address: "a.b", Type: "a", Name: "b", Change: c}}})
		if strings.Contains(strings.ReplaceAll(got, "secret-n", ""), "secret-") || !strings.Contains(got, sensitive) {
			t.Errorf("one side: \n%s", got)
		}
	}
}

func TestBetween(t *testing.T) {
	was := Diff(readPlan(t, "mixed"))
	if got := Between(was, was); got != "" {
		t.Errorf("the same differs:\n%s", got)
	}
	is := strings.Replace(strings.Replace(was, `"v1" -> "v2"`, `"v1" -> "v3"`, 1), "echo 2", "echo zwei", 1)
	if is == was {
		t.Fatal("nothing was replaced")
	}
	golden(t, "between.txt", Between(was, is))
	if got := Between("", "! # a.b will be changed in place\n"); got != "@@ a.b @@\n+ ! # a.b will be changed in place\n" {
		t.Errorf("from nothing: %q", got)
	}
	if got := Between("! # a.b will be changed in place\n", ""); got != "@@ a.b @@\n- ! # a.b will be changed in place\n" {
		t.Errorf("to nothing: %q", got)
	}
}
