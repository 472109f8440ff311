package workspace

import (
	"context"
	"strings"
	"testing"
)

// Each of these, some ten times longer and unguarded, ends the process with a stack
// overflow that no recover catches.
func TestFilesThatWouldOverflowTheStackAreBroken(t *testing.T) {
	cases := map[string]string{
		"minus signs":    "locals {\n  x = " + strings.Repeat("-", 6_000) + "1\n}\n",
		"with spaces":    "locals {\n  x = " + strings.Repeat("! ", 6_000) + "true\n}\n",
		"brackets":       "locals {\n  x = " + strings.Repeat("(", 3_000) + "\n}\n",
		"blocks":         strings.Repeat("a {\n", 3_000),
		"conditionals":   "locals {\n  x = " + strings.Repeat("1?1:", 210_000) + "1\n}\n",
		"a long sum":     "locals {\n  x = " + strings.Repeat("1+", 210_000) + "1\n}\n",
		"indexes":        "locals {\n  x = a" + strings.Repeat("[b]", 210_000) + "\n}\n",
		"templates":      "locals {\n  x = \"" + strings.Repeat("${\"", 3_000) + "\n}\n",
		"template ifs":   "locals {\n  x = \"" + strings.Repeat("%{if true}", 210_000) + "\"\n}\n",
		"a large file":   strings.Repeat("#", 17<<20),
		"the limit held": "locals {\n  x = " + strings.Repeat("-", 2_000) + "1\n  y = " + strings.Repeat("1+", 20_000) + "1\n  z = " + strings.Repeat("(", 1_500) + "1" + strings.Repeat(")", 1_500) + "\n}\ndata \"terraform_remote_state\" \"x\" {\n  backend = \"s3\"\n  config = { bucket = local.x, key = local.y, endpoint = local.z }\n}\n",
	}
	for name, source := range cases {
		t.Run(name, func(t *testing.T) {
			tree := treeOf("-- b/main.tf --\n# b\n")
			tree.files["a/main.tf"] = source
			g := scanTree(t, tree)
			if g.Unit("b") == nil || g.Unit("b").Err != nil {
				t.Errorf("b suffers from a: %q", unitIDs(g))
			}
			if held := name == "the limit held"; (g.Unit("a").Err == nil) != held {
				t.Errorf("a: %v", g.Unit("a").Err)
			}
		})
	}
	t.Run("in mooring.hcl", func(t *testing.T) {
		tree := treeOf("-- b/main.tf --\n# b\n")
		tree.files[ConfigFile] = "discover = " + strings.Repeat("!", 6_000) + "true\n"
		if _, err := NewScanner(ScannerOptions{}).Scan(context.Background(), tree); err == nil {
			t.Error("passed")
		}
	})
	t.Run("in JSON", func(t *testing.T) {
		tree := treeOf("-- b/main.tf --\n# b\n")
		tree.files["a/main.tf.json"] = strings.Repeat("[", 3_000)
		if g := scanTree(t, tree); g.Unit("a").Err == nil {
			t.Error("passed")
		}
	})
}
