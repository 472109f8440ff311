package workspace

import (
	"strings"
	"testing"
)

const renderRepository = `
-- mooring.hcl --
workspace "net" { dir = "net" }
manifests "apps" {
  path    = "apps"
  cluster = "prod"
  values  = { id = workspace.net.outputs.id }
  depends_on = [workspace.net]
}
workspace "prod" {
  dir       = "app"
  workspace = "prod"
  tool      = "tofu"
}
-- net/main.tf --
output "id" { value = 1 }
-- app/main.tf --
locals { x = file(var.missing) }
-- apps/x.yaml --
x: 1
-- broken/main.tf --
module {
`

func TestText(t *testing.T) {
	g := scanArchive(t, renderRepository)
	var b strings.Builder
	if err := g.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	want := `3 workspaces, 1 manifest set, 2 edges

stage 1
  broken  terraform in broken
            error: broken/main.tf:1: Unclosed configuration block: There is no closing brace for this block before the end of the file. This may be caused by incorrect brace nesting elsewhere in this file.
  net     terraform in net
  prod    tofu in app, workspace prod

stage 2
  apps    manifests in apps, cluster prod
            after net (depends_on mooring.hcl:6, outputs mooring.hcl:5)

1 warning
  app/main.tf:1: file: its path cannot be told: var.missing is not declared
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestDot(t *testing.T) {
	g := scanArchive(t, renderRepository)
	var b strings.Builder
	if err := g.WriteDot(&b); err != nil {
		t.Fatal(err)
	}
	want := `digraph mooring {
  rankdir = "LR";
  "apps" [shape = "ellipse"];
  "broken" [shape = "box", color = "red"];
  "net" [shape = "box"];
  "prod" [shape = "box"];
  "net" -> "apps" [label = "depends_on"];
  "net" -> "apps" [label = "outputs"];
}
`
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
}
