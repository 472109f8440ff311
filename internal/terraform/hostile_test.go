package terraform

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A run owns its view, and may leave links there. Mooring, which is not confined, must not follow them: neither to take another
// workspace's state away, nor to read it, nor to write through them.
func TestLinksLeftInTheView(t *testing.T) {
	for name, attack := range map[string]string{
		"state":        `rm -f terraform.tfstate; ln -s $data/state/infra/victim/terraform.tfstate terraform.tfstate`,
		"errored":      `ln -s $data/state/infra/victim/terraform.tfstate errored.tfstate`,
		"directory":    `cd ..; mv a b; mkdir c; ln -s $data/state/infra/victim a`,
		"root":         `cd ../..; mv root old; ln -s $data/state/infra root`,
		"workspaces":   `rm -rf terraform.tfstate.d; ln -s $data/state/infra/victim terraform.tfstate.d`,
		"workspace":    `rm -rf terraform.tfstate.d; mkdir terraform.tfstate.d; ln -s $data/state/infra/victim terraform.tfstate.d/default; ln -s $data/state/infra/victim terraform.tfstate.d/blue`,
		".terraform":   `rm -rf .terraform; ln -s $data/state/infra/victim .terraform`,
		"marks":        `mkdir -p .terraform/modules; rm -f .terraform/mooring-init.json; ln -s $data/state/infra/victim/terraform.tfstate .terraform/mooring-init.json`,
		"lock file":    `rm -f .terraform.lock.hcl; ln -s $data/state/infra/victim/terraform.tfstate .terraform.lock.hcl`,
		"learned":      `rm -f ../../modules.json; ln -s $data/state/infra/victim/terraform.tfstate ../../modules.json`,
		"checkout":     `rm -f ../../checkout; ln -s $data/state ../../checkout`,
		"errored pipe": `mkfifo errored.tfstate`,
		"state pipe":   `rm -f terraform.tfstate; mkfifo terraform.tfstate`,
		"errored dir":  `mkdir errored.tfstate`,
	} {
		t.Run(name, func(t *testing.T) {
			inModes(t, func(t *testing.T, mode string) {
				r := newRepo(t, map[string]string{"victim/main.tf": resourceA, "a/x.tf": ""})
				r.home.confined = Confinement{Mode: mode}
				r.converge(r.spec("victim"))
				victim := filepath.Join(r.home.StateDir("infra"), "victim/terraform.tfstate")
				kept, files := read(t, victim), findFiles(t, filepath.Dir(victim))
				writeTree(t, r.tree, map[string]string{"a/main.tf": runs("data=" + r.home.dataDir + "\n" + attack + "\ntrue")})
				for _, workspace := range []string{"", "blue"} {
					spec := r.spec("a")
					spec.Workspace, spec.Key = workspace, "a:"+workspace
					for range 2 { // the second run finds what the first one left
						s, err := r.home.Open(t.Context(), spec)
						if err != nil {
							t.Logf("open: %v", err)
							break
						}
						if err := s.Init(t.Context(), io.Discard); err != nil {
							t.Logf("init: %v", err)
						} else if plan, err := s.Plan(t.Context(), io.Discard, PlanOptions{}); err != nil {
							t.Logf("plan: %v", err)
						} else if plan.Changes {
							_, err := s.Apply(t.Context(), io.Discard, plan, ApplyOptions{Outputs: true})
							t.Logf("apply: %v", err)
							if outputs, err := s.Outputs(t.Context()); err == nil && len(outputs) > 0 {
								t.Errorf("outputs of another workspace: %v", outputs)
							}
						}
						if err := s.Close(); err != nil {
							t.Logf("close: %v", err)
						}
					}
					if unstored, err := r.home.Unstored("infra", spec.Key); err != nil || strings.HasPrefix(name, "errored") && len(unstored) > 0 {
						t.Errorf("a state of another workspace was kept as one of this one: %v %v", unstored, err)
					}
				}
				if now, err := os.ReadFile(victim); err != nil || string(now) != kept {
					t.Errorf("the state of another workspace: %v %s", err, now)
				}
				if now := findFiles(t, filepath.Dir(victim)); len(now) != len(files) {
					t.Errorf("beside the state of another workspace: %v, was %v", now, files)
				}
			})
		})
	}
}
