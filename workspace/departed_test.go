package workspace

import (
	"fmt"
	"strings"
	"testing"
)

func departures(d Departures) string {
	var out []string
	for _, u := range d.Units {
		s := fmt.Sprintf("%s %s", u.Unit.ID, u.Fate)
		if u.To != "" {
			s += " to " + u.To
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func remember(g *Graph) []Known {
	var out []Known
	for _, u := range g.Units {
		out = append(out, u.Remember())
	}
	return out
}

func TestWhatBecameOfUnitsThatAreGone(t *testing.T) {
	const start = `
-- a/main.tf --
terraform {
  backend "s3" {
    bucket = "b"
    key    = "a"
  }
}
-- b/main.tf --
-- c/main.tf --
-- d/main.tf --
-- k8s/x.yaml --
x: 1
`
	cases := []struct{ name, before, change, want string }{
		{"nothing", start, "", ""},
		{"git rm", start, "-- a/main.tf --\n", "a destroy"},
		{"git rm of local state", start, "-- b/main.tf --\n", "b destroy"},
		{"git rm that leaves a README", start, "-- a/main.tf --\n-- a/README.md --\nx\n", "a destroy"},
		{"git mv with the same backend", start, "-- a/main.tf --\n-- e/main.tf --\nterraform {\n  backend \"s3\" {\n    bucket = \"b\"\n    key = \"a\"\n  }\n}\n", "a moved to e"},
		{"git mv of local state is a new place", start, "-- b/main.tf --\n-- e/main.tf --\n# same\n", "b destroy"},
		{"a label of its own", start, "-- mooring.hcl --\nworkspace \"net\" {\n  dir = \"a\"\n}\n", "a moved to net"},
		{"a new caller", start, "-- b/x.tf --\nmodule \"c\" {\n  source = \"../c\"\n}\n", "c orphaned"},
		{"another Terraform workspace", start, "-- mooring.hcl --\nworkspace \"net\" {\n  dir = \"a\"\n  workspace = \"prod\"\n}\n", "a orphaned"},
		{"manifests removed", start, "-- k8s/x.yaml --\n", "k8s removed_manifests"},
		{"manifests under another id", start, "-- mooring.hcl --\nmanifests \"apps\" {\n  path = \"k8s\"\n}\n", "k8s moved to apps"},
		{"finding turned off", start, "-- mooring.hcl --\ndiscover = false\n", "a orphaned, b orphaned, c orphaned, d orphaned, k8s removed_manifests"},
		{"more than half removed", start, "-- a/main.tf --\n-- b/main.tf --\n-- c/main.tf --\n", "a destroy, b destroy, c destroy"},
		{"exactly half is not more", start + "-- e/main.tf --\n# e\n", "-- a/main.tf --\n-- b/main.tf --\n-- c/main.tf --\n", "a destroy, b destroy, c destroy"},
		{"moves are not removals", start, "-- mooring.hcl --\nworkspace \"one\" {\n  dir = \"a\"\n}\nworkspace \"two\" {\n  dir = \"b\"\n}\nworkspace \"three\" {\n  dir = \"c\"\n}\n", "a moved to one, b moved to two, c moved to three"},
		{"a new unit of the same backend that does not tell its key", start, "-- a/main.tf --\n-- e/main.tf --\nterraform {\n  backend \"s3\" {}\n}\n", "a orphaned"},
		{"an old unit that never told its key", start + "-- e/main.tf --\nterraform {\n  backend \"s3\" {}\n}\n", "-- a/main.tf --\n", "a destroy"},
		{"a unit that never told its key is gone", start + "-- e/main.tf --\nterraform {\n  backend \"s3\" {}\n}\n", "-- e/main.tf --\n", "e orphaned"},
		{"a removed block of a linked directory", "-- mooring.hcl --\nworkspace \"w\" {\n  dir = \"link\"\n}\n-- link --\n-> modules/m\n-- modules/m/main.tf --\n# m\n-- x/main.tf --\n# x\n", "-- mooring.hcl --\n# none\n", "w orphaned"},
		{"a broken file orphans nobody", start, "-- a/main.tf --\nterraform {\n", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tree := treeOf(c.before)
			tree.files["b/main.tf"], tree.files["c/main.tf"], tree.files["d/main.tf"] = "# b\n", "# c\n", "# d\n"
			if !strings.Contains(c.before, "-- b/main.tf --") {
				delete(tree.files, "b/main.tf")
				delete(tree.files, "c/main.tf")
				delete(tree.files, "d/main.tf")
			}
			before := remember(scanTree(t, tree))
			after := scanTree(t, tree.with(c.change))
			got := Departed(before, after)
			if departures(got) != c.want {
				t.Errorf("got %q, want %q", departures(got), c.want)
			}
			for _, d := range got.Units {
				if d.Reason == "" {
					t.Errorf("%s has no reason", d.Unit.ID)
				}
			}
		})
	}
}
