package comment

import (
	"fmt"
	"strings"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
)

// bigChanges is a plan of so many resources, each with a policy in JSON, a script
// and a list that change.
func bigChanges(n int) *tfjson.Plan {
	p := &tfjson.Plan{}
	for i := range n {
		of := func(v int) map[string]any {
			return map[string]any{
				"id": fmt.Sprint(i), "policy": fmt.Sprintf(`{"Version":"2012","Statement":[{"Effect":"Allow","Action":["s3:Get","s3:%d"]}]}`, v),
				"script": strings.Repeat("echo a line of the script\n", 30) + fmt.Sprintf("echo %d\n", v), "list": []any{"a", float64(v), "b", "c"}, "name": strings.Repeat("x", 200),
			}
		}
		p.ResourceChanges = append(p.ResourceChanges, &tfjson.ResourceChange{Address: fmt.Sprintf("a.b[%d]", i), Mode: tfjson.ManagedResourceMode, Type: "a", Name: "b", Change: &tfjson.Change{Actions: tfjson.Actions{tfjson.ActionUpdate}, Before: of(1), After: of(2)}})
	}
	return p
}

func BenchmarkDiff5000(b *testing.B) {
	p := bigChanges(5000)
	b.ReportAllocs()
	for b.Loop() {
		if got := Diff(p); strings.Count(got, "will be changed") != 5000 {
			b.Fatal("not all of it")
		}
	}
}

// Values and lists of any length take time that grows with them, and little room.
func TestDiffOfHugeValues(t *testing.T) {
	list := func(from int) []any {
		out := make([]any, 20_000)
		for i := range out {
			out[i] = float64(from + i*2)
		}
		return out
	}
	before := map[string]any{"text": strings.Repeat("a line\n", 200_000), "line": strings.Repeat("x", 5<<20), "list": list(0), "bad": strings.Repeat("\x80", 5000)}
	after := map[string]any{"text": strings.Repeat("b line\n", 200_000), "line": strings.Repeat("x", 5<<20) + "y", "list": list(1), "bad": strings.Repeat("\x81", 5000)}
	c := &tfjson.Change{Actions: tfjson.Actions{tfjson.ActionUpdate}, Before: before, After: after}
	got := Diff(&tfjson.Plan{ResourceChanges: []*tfjson.ResourceChange{{Address: "a.b", Type: "a", Name: "b", Change: c}}})
	if len(got) > 64<<10 || !strings.Contains(got, "399801 lines cut, sha256 ") || !strings.Contains(got, "39800 items cut, sha256 ") || !strings.Contains(got, "(5242880 characters, sha256 ") {
		t.Errorf("%d bytes, beginning:\n%s", len(got), got[:min(len(got), 3000)])
	}
	if d := Between(got, strings.Replace(got, "a.b", "a.c", 1)); len(d) > 5000 || !strings.HasPrefix(d, "@@ a.b @@\n- ! # a.b will") {
		t.Errorf("%d bytes of difference:\n%.300s", len(d), d)
	}
}
