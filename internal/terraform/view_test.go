package terraform

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tellView says for every path of a view what it is: "dir", "copy", "link TARGET".
func tellView(t testing.TB, root string) map[string]string {
	t.Helper()
	told := map[string]string{}
	err := filepath.WalkDir(root, func(name string, entry os.DirEntry, err error) error {
		if err != nil || name == root {
			return err
		}
		rel, _ := filepath.Rel(root, name)
		switch {
		case entry.IsDir():
			told[rel] = "dir"
		case entry.Type()&os.ModeSymlink != 0:
			target, err := os.Readlink(name)
			if err != nil {
				return err
			}
			told[rel] = "link " + target
		default:
			told[rel] = "copy"
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return told
}

func TestViewHasRealModulesAndLinksToTheRest(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	tree := filepath.Join(base, "checkout")
	writeTree(t, tree, map[string]string{
		"README.md":                     "x",
		"docs/a/b.md":                   "x",
		"infra/app/main.tf":             "x",
		"infra/app/files/deep/x.sh":     "x",
		"infra/app/big.bin":             strings.Repeat("x", copyLimit+1),
		"infra/app/link.tf":             "-> ../common.tf",
		"infra/app/.terraform/evil":     "x",
		"infra/app/.terraform.lock.hcl": "x",
		"infra/common.tf":               "x",
		"infra/other/main.tf":           "x",
		"modules/vpc/main.tf":           "x",
		"modules/net":                   "-> vpc",
		"modules/unused/main.tf":        "x",
		".git/config":                   "x",
	})
	v := newView(filepath.Join(base, "view"), tree)
	v.addModule("infra/app")
	real, err := resolve(tree, "modules/net")
	if err != nil || real != "modules/vpc" {
		t.Fatalf("resolve: %q %v", real, err)
	}
	v.addModule(real)
	v.addLink("infra/app/terraform.tfstate", "/state/x")
	v.addLink("states/deep/y.tfstate", "/state/y")
	v.own["infra/app/.terraform.lock.hcl"] = true
	v.own["infra/app/.terraform"] = true
	want := map[string]string{
		"README.md": "link ../checkout/README.md", "docs": "link ../checkout/docs",
		"infra": "dir", "infra/common.tf": "link ../../checkout/infra/common.tf", "infra/other": "link ../../checkout/infra/other",
		"infra/app": "dir", "infra/app/main.tf": "copy", "infra/app/files": "dir", "infra/app/files/deep": "dir", "infra/app/files/deep/x.sh": "copy",
		"infra/app/big.bin": "link ../../../checkout/infra/app/big.bin", "infra/app/link.tf": "link ../common.tf",
		"infra/app/terraform.tfstate": "link /state/x",
		"modules":                     "dir", "modules/vpc": "dir", "modules/vpc/main.tf": "copy", "modules/net": "link vpc",
		"modules/unused": "link ../../checkout/modules/unused",
		"states":         "dir", "states/deep": "dir", "states/deep/y.tfstate": "link /state/y",
	}
	check := func(when string) {
		t.Helper()
		if err := v.make(); err != nil {
			t.Fatal(err)
		}
		got := tellView(t, filepath.Join(base, "view/root"))
		for name, is := range want {
			if got[name] != is {
				t.Errorf("%s: %s is %q, want %q", when, name, got[name], is)
			}
		}
		for name, is := range got {
			if want[name] == "" {
				t.Errorf("%s: %s is %q, unexpected", when, name, is)
			}
		}
	}
	check("first")
	check("again")
	if read(t, v.path("modules/unused/main.tf")) != "x" || read(t, v.path("infra/app/link.tf")) != "x" {
		t.Error("links do not lead to their files")
	}

	// What a run left, and what it did to its copies, is gone with the next one.
	writeTree(t, v.path("infra/app"), map[string]string{"main.tf": "changed", "made/by/run": "x", "files/deep/new": "x", ".terraform/mine": "x"})
	want["infra/app/.terraform"], want["infra/app/.terraform/mine"] = "dir", "copy"
	check("after a run")
	if read(t, v.path("infra/app/main.tf")) != "x" {
		t.Error("a changed copy stayed")
	}
	if read(t, filepath.Join(tree, "infra/app/main.tf")) != "x" {
		t.Error("the checkout was written to")
	}

	// Another commit: a file becomes a directory, a directory a file, one goes.
	tree = filepath.Join(base, "checkout2")
	writeTree(t, tree, map[string]string{"README.md/x": "x", "docs": "x", "infra/app/main.tf/x": "y", "infra/app/files": "z", "modules/vpc/main.tf": "xx"})
	v.tree = tree
	want = map[string]string{
		"README.md": "link ../checkout/README.md", "docs": "link ../checkout/docs", "infra": "dir", "infra/app": "dir", "infra/app/main.tf": "dir",
		"infra/app/main.tf/x": "copy", "infra/app/files": "copy", "infra/app/terraform.tfstate": "link /state/x", "infra/app/.terraform": "dir",
		"infra/app/.terraform/mine": "copy", "modules": "dir", "modules/vpc": "dir", "modules/vpc/main.tf": "copy",
		"states": "dir", "states/deep": "dir", "states/deep/y.tfstate": "link /state/y",
	}
	check("another commit")
	if read(t, v.path("modules/vpc/main.tf")) != "xx" || read(t, v.path("docs")) != "x" {
		t.Error("not the new commit's files")
	}
}

func TestViewKeepsWhatAPlanMade(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	tree := filepath.Join(base, "c")
	writeTree(t, tree, map[string]string{"app/main.tf": "x"})
	v := newView(filepath.Join(base, "view"), tree)
	v.addModule("app")
	made := v.path("app/lambda.zip")
	for _, tt := range []struct {
		keep  bool
		tree  string
		stays bool
	}{{true, tree, true}, {false, tree, false}, {true, tree + "2", false}} {
		v.keep, v.tree = false, tree
		if err := v.make(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(made, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		v.keep, v.tree = tt.keep, tt.tree
		if err := v.make(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(made); (err == nil) != tt.stays {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

func TestViewRefusesLinksThatLeave(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/etc", "../../..", "../../etc/passwd"} {
		r := newRepo(t, map[string]string{"app/main.tf": "", "app/out": "-> " + target, "a/b": "-> " + target})
		if _, err := r.home.Open(t.Context(), r.spec("app")); !errors.Is(err, ErrOutside) {
			t.Errorf("link to %s: %v", target, err)
		}
		if _, err := r.home.Open(t.Context(), r.spec("a/b")); !errors.Is(err, ErrOutside) {
			t.Errorf("root module behind a link to %s: %v", target, err)
		}
	}
}

// path.module, abspath() and path.cwd are the same at every commit in the root module and in every module: shared, nested, behind a
// link, and from a Git repository.
func TestPathsAreStable(t *testing.T) {
	t.Parallel()
	paths := `output "p" { value = [path.module, abspath(path.module), path.root, path.cwd, file("${path.module}/f")] }` + "\n"
	git := gitRepo(t, map[string]string{"main.tf": paths + "module \"s\" {\n source = \"./sub\"\n}\noutput \"s\" { value = module.s.p }", "f": "1", "sub/main.tf": paths, "sub/f": "2"})
	files := map[string]string{
		"infra/app/f": "3", "infra/app/main.tf": paths + fmt.Sprintf(`
module "shared" { source = "../../modules/shared" }
module "linked" { source = "./linked" }
module "git" { source = "git::file://%s" }
resource "terraform_data" "all" { input = [module.shared.p, module.shared.n, module.linked.p, module.git.p, module.git.s, path.cwd, abspath(path.module)] }
output "all" { value = terraform_data.all.output }
`, git),
		"infra/app/linked":         "-> ../../modules/linked",
		"modules/linked/main.tf":   paths,
		"modules/linked/f":         "4",
		"modules/shared/f":         "5",
		"modules/shared/main.tf":   paths + "module \"n\" {\n source = \"../nested\"\n}\noutput \"n\" { value = module.n.p }",
		"modules/nested/main.tf":   paths,
		"modules/nested/f":         "6",
		"modules/unrelated/x.json": "{}",
	}
	r := newRepo(t, files)
	spec := r.spec("infra/app")
	spec.ModuleDirs = []string{"modules/shared", "modules/nested", "infra/app/linked"}
	spec.InitInputs = []byte("1")
	r.converge(spec)
	r.commit(files)
	spec.Tree = r.tree
	spec.InitInputs = []byte("2") // init runs again
	s := r.ready(spec)
	plan := r.plan(s, PlanOptions{})
	if plan.Changes {
		t.Fatalf("another checkout is a change: %+v", plan.JSON.ResourceChanges[0].Change)
	}
	all := string(plan.State.Outputs["all"].JSON)
	if strings.Contains(all, r.tree) || strings.Contains(all, "checkout") || !strings.Contains(all, s.ViewDir()) {
		t.Fatalf("paths: %s", all)
	}
	if !strings.Contains(all, `".terraform/modules/git/sub"`) {
		t.Fatalf("path.module of a nested module of a Git module is not what it is without Mooring: %s", all)
	}
}

// A module that the caller did not name is found after init, so the next commit runs with its own and not with the first one's.
func TestUnexpectedModulesAreNotStale(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"app/main.tf":     "module \"m\" {\n source = \"../mods/m\"\n}\noutput \"o\" { value = module.m.o }",
		"mods/m/main.tf":  "module \"n\" {\n source = \"../n\"\n}\noutput \"o\" { value = [module.n.o, abspath(path.module)] }",
		"mods/n/main.tf":  `output "o" { value = ["one", abspath(path.module)] }`,
		"mods/un/main.tf": "",
	}
	r := newRepo(t, files)
	s := r.ready(r.spec("app"))
	if notes := strings.Join(s.Notes(), ""); !strings.Contains(notes, "mods/m, mods/n") {
		t.Errorf("notes: %s", notes)
	}
	s.Close()
	r.converge(r.spec("app"))
	files["mods/n/main.tf"] = strings.Replace(files["mods/n/main.tf"], "one", "two", 1)
	r.commit(files)
	r.converge(r.spec("app"))
	s = r.ready(r.spec("app"))
	outputs, err := s.Outputs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	root := s.view.path(".")
	if got, want := compact(t, outputs["o"].JSON), fmt.Sprintf(`[["two","%s/mods/n"],"%s/mods/m"]`, root, root); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A saved plan applies after its checkout is gone, with what the plan made beside the configuration.
func TestApplyWithoutTheCheckout(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"app/main.tf": `resource "terraform_data" "a" {
  input = file("${path.module}/f")
  provisioner "local-exec" { command = "cat f made; pwd" }
}`, "app/f": "hello"})
	s := r.ready(r.spec("app"))
	plan := r.plan(s, PlanOptions{})
	writeTree(t, s.ViewDir(), map[string]string{"made": "by plan"})
	if err := os.RemoveAll(r.tree); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := only(s.Apply(t.Context(), io.MultiWriter(&out), plan, ApplyOptions{})); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "hello") || !strings.Contains(out.String(), "by plan") {
		t.Fatalf("output: %s", &out)
	}
}

func BenchmarkWarmView(b *testing.B) {
	files := map[string]string{}
	for i := range 50 {
		files[fmt.Sprintf("infra/app%d/main.tf", i)] = "resource {}"
		files[fmt.Sprintf("infra/app%d/variables.tf", i)] = "variable {}"
	}
	r := newRepo(b, files)
	one := r.tree
	r.commit(files)
	b.ResetTimer()
	for i := range b.N {
		tree := one
		if i%2 == 0 {
			tree = r.tree
		}
		v := newView(filepath.Join(r.home.views, "x"), tree)
		v.addModule("infra/app7")
		if err := v.make(); err != nil {
			b.Fatal(err)
		}
	}
}
