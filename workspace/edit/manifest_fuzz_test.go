package edit

import (
	"encoding/json"
	"testing"
)

// Whatever the manifest and the value are: nothing panics, and what comes out says the new value.
func FuzzManifests(f *testing.F) {
	for _, data := range []string{"x: a", "x: 'a' # c", `x: "a"`, "x: 1", "x: yes", "x: &a a", "x: [a, b]", "x: |\n    a", "x: ä\t", "{x: a}", "x: a\n  b: c\n---\nx: a", "x: !!str 1", "? x\n  : a"} {
		for _, value := range [][2]string{{`"a"`, `"b"`}, {`1`, `2.5`}, {`"a"`, `"yes"`}, {`"a"`, `"#: {\n'\"\u0085"`}, {`"a"`, `""`}, {`"1"`, `"0x1f"`}, {`true`, `false`}} {
			f.Add(data, `["data","x"]`, value[0], value[1])
		}
	}
	f.Fuzz(func(t *testing.T, data, path, old, now string) {
		c := Change{Address: "v1 ConfigMap web/a"}
		if len(data) > 1000 || json.Unmarshal([]byte(path), &c.Path) != nil || json.Unmarshal([]byte(old), &c.Old) != nil || json.Unmarshal([]byte(now), &c.New) != nil {
			t.Skip()
		}
		edited, done, refused := Manifests(map[string][]byte{"a.yaml": []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  " + data + "\n")}, []Change{c})
		if len(done)+len(refused) != 1 || len(done) != len(edited) {
			t.Fatalf("%d done, %d refused, %d edited", len(done), len(refused), len(edited))
		}
		if len(done) == 0 {
			return
		}
		c.Old, c.New = c.New, c.Old
		_, again, refused := Manifests(edited, []Change{c})
		if len(again) != 1 && refused[0].Why != "no plain manifest holds it" { // its name may be what changed
			t.Fatalf("%s\n%s", refused[0].Why, edited["a.yaml"])
		}
	})
}
