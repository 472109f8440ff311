package e2e

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mooring-iac/mooring"

// rooms never import each other; they are wired in runner and cmd.
var rooms = []string{"workspace", "workspace/mirror", "locks", "policies", "k8s", "internal/charts", "internal/terraform", "internal/forge", "internal/comment", "internal/outbox", "internal/notify", "internal/web"}

// owners says which packages alone may know a library.
var owners = []struct {
	library string
	rooms   []string
}{
	{"github.com/go-git/", []string{"workspace/mirror"}},
	{"github.com/hashicorp/hcl/v2", []string{"workspace", "workspace/edit", "cmd/"}},
	{"github.com/hashicorp/terraform-exec", []string{"internal/terraform"}},
	{"github.com/hashicorp/hc-install", []string{"internal/terraform/releases"}},
	{"k8s.io/", []string{"k8s"}},
	{"sigs.k8s.io/kustomize", []string{"k8s"}},
	{"go.etcd.io/bbolt", []string{"locks", "runner", "internal/outbox", "internal/notify"}},
	{"github.com/nicholas-fedor/shoutrrr", []string{"internal/notify"}},
	{"github.com/wneessen/go-mail", []string{"internal/notify"}},
	{"code.gitea.io/sdk/gitea", []string{"internal/forge"}},
	{"github.com/google/go-github", []string{"internal/forge"}},
	{"gitlab.com/gitlab-org/api/client-go", []string{"internal/forge"}},
	{"github.com/open-policy-agent/opa", []string{"policies/"}},
}

type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var all []listed
	d := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module+"/")
		all = append(all, p)
	}
}

// roomOf returns the room that a package belongs to; "" for none.
func roomOf(pkg string) string {
	best := ""
	for _, r := range rooms {
		if (pkg == r || strings.HasPrefix(pkg, r+"/")) && len(r) > len(best) {
			best = r
		}
	}
	return best
}

// upon are the rooms that stand upon another: messages wait in the outbox, in the
// transaction that makes them true.
var upon = map[string]string{"internal/notify": "internal/outbox"}

func TestRoomsDoNotImportEachOther(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range packages(t) {
		room := roomOf(p.ImportPath)
		seen[room] = true
		for _, imported := range p.Imports {
			inside, ours := strings.CutPrefix(imported, module+"/")
			if !ours {
				continue
			}
			if room != "" && roomOf(inside) != room && roomOf(inside) != upon[room] {
				t.Errorf("%s imports %s: rooms are wired in runner and cmd", p.ImportPath, inside)
			}
			if p.ImportPath == "runner" && strings.HasPrefix(inside, "cmd/") {
				t.Errorf("runner imports %s: the star points inwards", inside)
			}
		}
	}
	for _, must := range []string{"workspace", "locks", "k8s", "internal/charts", "internal/terraform"} {
		if !seen[must] {
			t.Errorf("go list did not see %s: the test looks at nothing", must)
		}
	}
}

// A supervisor starts when all that its package imports is initialised: see supervise.go.
func TestSupervisorDoesNotWaitForWhatItDoesNotNeed(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", module+"/internal/terraform")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "github.com/hashicorp/terraform-exec/tfexec") {
		t.Fatal("go list did not see terraform-exec: the test looks at nothing")
	}
	for _, late := range []string{"net/http", "text/template", "encoding/gob"} {
		if slices.Contains(deps, late) {
			t.Errorf("internal/terraform needs %s: every supervisor would wait for nearly all packages of the program to be initialised", late)
		}
	}
}

func TestLibrariesAreKnownToTheirOwnersAlone(t *testing.T) {
	found := map[string]bool{}
	for _, p := range packages(t) {
		if strings.HasPrefix(p.ImportPath, "e2e") {
			continue // tests and the demo look at the world from outside
		}
		for _, imported := range p.Imports {
			for _, o := range owners {
				if !strings.HasPrefix(imported, o.library) {
					continue
				}
				found[o.library] = true
				allowed := slices.ContainsFunc(o.rooms, func(room string) bool {
					return p.ImportPath == room || strings.HasSuffix(room, "/") && strings.HasPrefix(p.ImportPath, room) || room == "k8s" && roomOf(p.ImportPath) == "k8s"
				})
				if !allowed {
					t.Errorf("%s imports %s, which only %s may know", p.ImportPath, imported, strings.Join(o.rooms, ", "))
				}
			}
		}
	}
	for _, o := range owners {
		if !found[o.library] {
			t.Errorf("nobody imports %s: the rule looks at nothing", o.library)
		}
	}
}
