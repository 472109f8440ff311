package terraform

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A workspace from nothing to nothing, with no backend block: its state must outlive every checkout.
func TestLifeOfAWorkspace(t *testing.T) {
	t.Parallel()
	const config = `
variable "name" { type = string }
resource "terraform_data" "a" { input = "${var.name} ${path.cwd} ${abspath(path.module)}" }
output "name" { value = var.name }
output "list" { value = [1, 2.5] }
output "secret" {
  value     = "hush"
  sensitive = true
}
`
	r := newRepo(t, map[string]string{"infra/network/main.tf": config, "README.md": "x"})
	spec := r.spec("infra/network")
	spec.Variables = map[string]Variable{"name": {JSON: []byte(`"blue"`)}}
	s := r.ready(spec)
	var out bytes.Buffer
	plan, err := s.Plan(t.Context(), &out, PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !plan.Changes || plan.Add != 1 || plan.Change != 0 || plan.Destroy != 0 || len(plan.JSON.ResourceChanges) != 1 {
		t.Fatalf("plan of a new workspace: %+v", plan)
	}
	if !plan.State.Known || plan.State.Lineage != "" || plan.State.Resources != 0 || len(plan.State.Outputs) != 0 {
		t.Fatalf("state of a new workspace: %+v", plan.State)
	}
	if found := findFiles(t, r.home.plans); len(found) != 0 {
		t.Fatalf("plans on disk that nobody keeps: %v", found)
	}
	if !strings.Contains(out.String(), "1 to add") {
		t.Fatalf("no plan in the output: %s", &out)
	}
	if err := only(s.Apply(t.Context(), io.Discard, plan, ApplyOptions{})); err != nil {
		t.Fatal(err)
	}
	if err := only(s.Apply(t.Context(), io.Discard, plan, ApplyOptions{})); err == nil {
		t.Fatal("a plan was applied twice")
	}
	outputs, err := s.Outputs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if o := outputs["list"]; string(o.JSON) == "" || compact(t, o.JSON) != "[1,2.5]" || compact(t, o.Type) != `["tuple",["number","number"]]` {
		t.Fatalf("list: %s %s", o.JSON, o.Type)
	}
	if o := outputs["secret"]; string(o.JSON) != `"hush"` || !o.Sensitive {
		t.Fatalf("secret: %+v", o)
	}
	after, err := s.State(t.Context())
	if err != nil || after.Lineage == "" || after.Serial == 0 || after.Resources != 1 {
		t.Fatalf("state after apply: %+v %v", after, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	stored := filepath.Join(r.home.StateDir("infra"), "infra/network/terraform.tfstate")
	if info, err := os.Stat(stored); err != nil || info.Size() == 0 || info.Mode().Perm() != 0o600 {
		t.Fatalf("state home: %v %v", info, err)
	}

	// Another commit at another place: nothing changes, although the configuration reads where it lies.
	r.commit(map[string]string{"infra/network/main.tf": config, "other": "y"})
	spec.Tree = r.tree
	s = r.ready(spec)
	plan = r.plan(s, PlanOptions{})
	if plan.Changes || plan.JSON != nil {
		t.Fatalf("another checkout is a change: %+v", plan)
	}
	if plan.State.Lineage != after.Lineage || plan.State.Serial != after.Serial || plan.State.Resources != 1 || !plan.State.Outputs["secret"].Sensitive {
		t.Fatalf("state in the plan %+v, want %+v", plan.State, after)
	}

	plan = r.plan(s, PlanOptions{Destroy: true})
	if plan.Destroy != 1 {
		t.Fatalf("destroy: %+v", plan)
	}
	if err := only(s.Apply(t.Context(), io.Discard, plan, ApplyOptions{})); err != nil {
		t.Fatal(err)
	}
	if after, err = s.State(t.Context()); err != nil || after.Resources != 0 {
		t.Fatalf("state after destroy: %+v %v", after, err)
	}
	if entries, _ := os.ReadDir(r.tree); len(entries) != 2 {
		t.Fatalf("something was written to the checkout: %v", entries)
	}
}

func compact(t testing.TB, data []byte) string {
	t.Helper()
	return strings.Join(strings.Fields(string(data)), "")
}
