package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"
)

// describe writes everything that a graph says, to compare two of them.
func describe(t *testing.T, g *Graph, tree Tree) string {
	t.Helper()
	files, err := g.Files(tree)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := g.JSON(files)
	if err != nil {
		t.Fatal(err)
	}
	out := string(raw)
	for _, u := range g.Units {
		if u.Module != nil {
			m := *u.Module
			m.checks, m.err = rootChecks{}, nil
			out += fmt.Sprintf("\n%s %+v", u.ID, m)
		}
	}
	return out
}

// TestAScannerWithAMemoryAgreesWithOneWithout walks through commits, there and back,
// and compares the scanner that remembers with a fresh one at every step.
func TestAScannerWithAMemoryAgreesWithOneWithout(t *testing.T) {
	tree := treeOf(designRepository).with(`
-- app/main.tf --
module "m" { source = "../modules/m" }
locals {
  name     = "prod"
  settings = yamldecode(file("${path.module}/../settings.yaml"))
  text     = templatefile("${path.module}/../texts/${local.name}.tpl", {})
}
data "terraform_remote_state" "net" {
  backend = "s3"
  config  = { bucket = local.settings.bucket, key = "network.tfstate" }
}
-- modules/m/main.tf --
# nothing yet
-- modules/n/main.tf --
# used later
-- settings.yaml --
bucket: state
-- linked/main.tf --
-> ../shared/a.tf
-- shared/a.tf --
module "m" { source = "../modules/m" }
-- shared/b.tf --
module "n" { source = "../modules/n" }
`)
	steps := []struct{ name, change string }{
		{"start", ""},
		{"a module calls another", "-- modules/m/main.tf --\nmodule \"n\" { source = \"../n\" }\n"},
		{"a file that a local reads", "-- settings.yaml --\nbucket: other\n"},
		{"a missing template appears", "-- texts/prod.tpl --\nx\n"},
		{"it becomes a directory", "-- texts/prod.tpl --\n-- texts/prod.tpl/x --\nx\n"},
		{"a root appears", "-- live/new/main.tf --\n# new\n"},
		{"a root goes", "-- live/new/main.tf --\n"},
		{"a module goes", "-- modules/m/main.tf --\n"},
		{"it comes back as JSON", "-- modules/m/main.tf.json --\n{\"terraform\": {\"required_version\": \">= 1\"}}\n"},
		{"a link moves", "-- linked/main.tf --\n-> ../shared/b.tf\n"},
		{"a var file changes", "-- infra/cluster/prod.tfvars --\nsize = 4\n"},
		{"automatic variables", "-- app/terraform.tfvars --\nx = 1\n"},
		{"mooring.hcl shrinks", "-- mooring.hcl --\nworkspace \"db\" { dir = \"infra/db\" }\n"},
		{"a Terraform file breaks", "-- app/main.tf --\nmodule {\n"},
		{"and is mended", "-- app/main.tf --\nmodule \"m\" { source = \"../modules/m\" }\n"},
		{"a lock file", "-- app/.terraform.lock.hcl --\n# one\n"},
		{"a base of a kustomization", "-- k8s/apps/kustomization.yaml --\nresources: [../../base]\n-- base/x.yaml --\nx: 1\n"},
	}
	remembering := NewScanner(ScannerOptions{})
	for _, step := range steps {
		tree = tree.with(step.change)
		g, err := remembering.Scan(context.Background(), tree)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got, want := describe(t, g, tree), describe(t, scanTree(t, tree), tree); got != want {
			t.Errorf("%s:\n got %s\nwant %s", step.name, got, want)
		}
	}
}

func TestASecondScanReadsOnlyWhatChanged(t *testing.T) {
	tree := treeOf(designRepository)
	s := NewScanner(ScannerOptions{})
	scan := func(tr *memTree) int {
		t.Helper()
		tr.reads = 0
		if _, err := s.Scan(context.Background(), tr); err != nil {
			t.Fatal(err)
		}
		return tr.reads
	}
	scan(tree)
	if got := scan(tree); got != 1 { // mooring.hcl
		t.Errorf("an unchanged tree: %d reads", got)
	}
	changed := tree.with("-- infra/db/main.tf --\noutput \"host\" { value = 2 }\n")
	if got := scan(changed); got != 2 {
		t.Errorf("one file changed: %d reads", got)
	}
	broken := tree.with("-- mooring.hcl --\nnonsense = 1\n")
	if _, err := s.Scan(context.Background(), broken); err == nil {
		t.Fatal("a broken mooring.hcl passed")
	}
	if got := scan(tree); got != 1 { // mooring.hcl: nothing learnt before was lost
		t.Errorf("after a broken mooring.hcl: %d reads", got)
	}
}

type failingTree struct {
	*memTree
	walk, read error
}

func (t failingTree) Walk(fn func(string, fs.FileMode, string) error) error {
	if t.walk != nil {
		return t.walk
	}
	return t.memTree.Walk(fn)
}

func (t failingTree) ReadFile(p string) ([]byte, error) {
	if t.read != nil {
		return nil, t.read
	}
	return t.memTree.ReadFile(p)
}

func TestATreeThatFailsIsAnErrorAndNoEmptyGraph(t *testing.T) {
	boom := errors.New("object store is damaged")
	for _, tree := range []failingTree{{treeOf(designRepository), boom, nil}, {treeOf(designRepository), nil, boom},
		{treeOf("-- k8s/kustomization.yaml --\nx: 1\n"), nil, boom}} {
		if g, err := NewScanner(ScannerOptions{}).Scan(context.Background(), tree); !errors.Is(err, boom) || g != nil {
			t.Errorf("graph %v, error %v", g, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := NewScanner(ScannerOptions{}).Scan(ctx, treeOf(designRepository)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestAnEmptyRepository(t *testing.T) {
	g := scanArchive(t, "")
	if len(g.Units) != 0 || len(g.Order()) != 0 {
		t.Errorf("units %q", unitIDs(g))
	}
	if got := g.Affected([]string{"x"}, nil); len(got) != 0 {
		t.Errorf("affected %v", got)
	}
}

func TestScansAtTheSameTime(t *testing.T) {
	s := NewScanner(ScannerOptions{})
	done := make(chan error)
	for range 4 {
		go func() {
			_, err := s.Scan(context.Background(), treeOf(designRepository))
			done <- err
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
