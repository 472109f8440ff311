package runner

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mooring-iac/mooring/workspace"
)

// preview plans a working copy with these files against the fixture's states.
func (f *fixture) preview(files map[string]string, only ...string) *Preview {
	f.t.Helper()
	return f.previewWith(files, func(o *PreviewOptions) {
		if len(only) > 0 {
			o.Only = func(*workspace.Graph) ([]string, error) { return only, nil }
		}
	})
}

func (f *fixture) previewWith(files map[string]string, set func(*PreviewOptions)) *Preview {
	f.t.Helper()
	dir := f.t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			f.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			f.t.Fatal(err)
		}
	}
	tree, err := workspace.WorkingCopy(dir)
	if err != nil {
		f.t.Fatal(err)
	}
	o := PreviewOptions{Dir: tree.Dir(), Tree: tree, Base: tree, States: StatesOf(f.opts.DataDir, "infra")}
	set(&o)
	p, err := MakePreview(f.t.Context(), o)
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

func TestPreviewPlansAgainstWhatIsApplied(t *testing.T) {
	files := chained(`"vpc-1"`)
	f := newFixture(t, files)
	if got := summary([]Run{f.preview(files).Run}); got != "alone planned, network planned, db deferred" {
		t.Errorf("before anything is applied: %s", got)
	}
	f.expect("alone applied, network applied, db applied")
	before := f.state("db").Serial
	if got := summary([]Run{f.preview(files).Run}); got != "alone unchanged, network unchanged, db unchanged" {
		t.Errorf("after: %s", got)
	}
	files["db/main.tf"] = "variable \"vpc\" {}\n" + module(`"another db in ${var.vpc}"`)
	p := f.preview(files, "db") // its upstream is not planned: its outputs come from its state
	if got := summary([]Run{p.Run}); got != "db planned" {
		t.Errorf("one unit: %s\n%s", got, detail([]Run{p.Run}))
	}
	if f.state("db").Serial != before {
		t.Error("a preview changed the state")
	}
	f.noLocks()
}
