package terraform

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestWhatAPlanLeavesInItsModuleIsSeen(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"app/main.tf": resourceA, "app/files/note.txt": "x"})
	s := r.open(r.spec("app"))
	if err := s.Init(t.Context(), io.Discard); err != nil {
		t.Fatal(err)
	}
	r.plan(s, PlanOptions{})
	if found, err := s.Generated(); found || err != nil {
		t.Errorf("init and plan alone: %v, %v", found, err)
	}
	if err := os.WriteFile(filepath.Join(s.ViewDir(), "files", "made.zip"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := s.Generated(); !found || err != nil {
		t.Errorf("with an archive: %v, %v", found, err)
	}
}
