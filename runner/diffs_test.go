package runner

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/internal/terraform/redact"
	"github.com/mooring-iac/mooring/k8s"
)

func TestDiffsAreBounded(t *testing.T) {
	var objects []ObjectResult
	for i := range 100 {
		d := &k8s.Diff{Text: strings.Repeat("+  \"quoted\": line\n", 10_000), Note: "a note"}
		for k := range 5_000 {
			d.Changes = append(d.Changes, k8s.FieldChange{Path: fmt.Sprintf("spec.field%d", k), Op: k8s.FieldReplace, Old: "old", New: "new"})
		}
		objects = append(objects, ObjectResult{Ref: fmt.Sprint("o", i), Action: "configured", Diff: d})
	}
	small := &k8s.Diff{Text: "+  a: b\n"}
	objects = append([]ObjectResult{{Ref: "small", Diff: small}, {Ref: "pruned", Action: "pruned"}}, objects...)
	boundDiffs(objects)
	if objects[0].Diff != small || len(objects) != 102 {
		t.Error("what is short was touched")
	}
	all := 0
	for _, o := range objects {
		if o.Diff == nil {
			continue
		}
		data, err := json.Marshal(o.Diff)
		if err != nil {
			t.Fatal(err)
		}
		all += len(data)
		if len(data) > diffLimit {
			t.Errorf("%s: %d bytes", o.Ref, len(data))
		}
		if o.Diff != small && !strings.HasPrefix(o.Diff.Note, "a note; cut: ") {
			t.Errorf("%s: its note is %q", o.Ref, o.Diff.Note)
		}
		if o.Diff.Text != "" && !strings.HasSuffix(o.Diff.Text, "\n") {
			t.Errorf("%s: cut within a line", o.Ref)
		}
	}
	if most := diffsLimit + 100*300; all > most { // each says that it was cut
		t.Errorf("%d bytes in all, want at most %d", all, most)
	}
	if d := objects[2].Diff; len(d.Changes) == 0 || d.Text == "" {
		t.Errorf("nothing is left of the first: %d changes, %d bytes of text", len(d.Changes), len(d.Text))
	}
}

func TestSensitiveValuesAreHiddenInDiffs(t *testing.T) {
	d := &k8s.Diff{Text: "-  dsn: postgres://u:hush-hush-1@db\n+  dsn: x\n", Changes: []k8s.FieldChange{{Path: "data.dsn", Old: "postgres://u:hush-hush-1@db",
		New: map[string]any{"list": []any{"hush-hush-1", int64(3)}}}}}
	hideInDiffs([]ObjectResult{{Diff: d}, {}}, redact.New("hush-hush-1"))
	data, err := json.Marshal(d)
	if err != nil || strings.Contains(string(data), "hush") || !strings.Contains(d.Text, "+  dsn: x") {
		t.Errorf("%v: %s", err, data)
	}
}
