package workspace

import (
	"encoding/json"
	"strings"
	"testing"
)

// The example of the configuration reference, whole.
const designRepository = `
-- mooring.hcl --
workspace "network" { dir = "infra/network" }
workspace "db"      { dir = "infra/db" }

workspace "cluster" {
  dir       = "infra/cluster"
  workspace = "prod"
  var_files = ["prod.tfvars"]
  variables = { vpc_id = workspace.network.outputs.vpc_id }
  auto_apply = "no_destroy"
}

manifests "apps" {
  path   = "k8s/apps"
  values = { db_host = workspace.db.outputs.host }
  cluster = "prod"
  prune  = true
  depends_on = [workspace.cluster]
}

workspace "tenants" {
  dir            = "tenants/*/infra"
  backend_config = { key = "tenants/${each.match[0]}.tfstate" }
  var_files      = ["../common.tfvars"]
}

manifests "tenants" {
  path       = "tenants/*/k8s"
  values     = { bucket = workspace["tenants/${each.match[0]}/infra"].outputs.bucket }
}

drift { every = "6h" }
-- infra/network/main.tf --
terraform {
  backend "s3" {
    bucket = "state"
    key    = "network.tfstate"
  }
}
output "vpc_id" { value = "vpc-1" }
-- infra/db/main.tf --
data "terraform_remote_state" "network" {
  backend = "s3"
  config  = { bucket = "state", key = "network.tfstate" }
}
output "host" { value = "db" }
-- infra/cluster/main.tf --
variable "vpc_id" {}
-- infra/cluster/prod.tfvars --
size = 3
-- tenants/a/common.tfvars --
-- tenants/a/infra/main.tf --
terraform {
  backend "s3" {}
}
output "bucket" { value = "a" }
-- tenants/a/k8s/app.yaml --
kind: ConfigMap
-- tenants/b/common.tfvars --
-- tenants/b/infra/main.tf --
terraform {
  backend "s3" {}
}
output "bucket" { value = "b" }
-- tenants/b/k8s/app.yaml --
kind: ConfigMap
-- k8s/apps/app.yaml --
kind: ConfigMap
-- k8s/base.yaml --
kind: Namespace
-- extra/found/main.tf --
# found without a block
`

func TestTheDesignExample(t *testing.T) {
	g := scanArchive(t, designRepository)
	if got, want := unitIDs(g), "apps cluster db extra/found k8s network tenants/a/infra tenants/a/k8s tenants/b/infra tenants/b/k8s"; got != want {
		t.Errorf("units\n got %s\nwant %s", got, want)
	}
	want := strings.TrimSpace(`
cluster>apps depends_on
db>apps outputs
network>cluster outputs
network>db remote_state
tenants/a/infra>tenants/a/k8s outputs
tenants/b/infra>tenants/b/k8s outputs`)
	if got := edges(g); got != want {
		t.Errorf("edges\n got %s\nwant %s", got, want)
	}
	if got, want := g.Unit("tenants/a/infra").Module.Backend.Get("key"), "tenants/a.tfstate"; got != want {
		t.Errorf("backend key %q, want %q", got, want)
	}
	if got, want := join(g.Unit("tenants/a/infra").BackendConfig()), "key=tenants/a.tfstate"; got != want {
		t.Errorf("backend config %q, want %q", got, want)
	}
	if got := join(g.Unit("tenants/a/infra").VarFiles); got != "tenants/a/common.tfvars" {
		t.Errorf("var files %q", got)
	}
	if got := join(g.Unit("k8s").Exclude); got != "k8s/apps" {
		t.Errorf("k8s excludes %q", got)
	}
	if g.Drift == nil || g.Drift.Every.Hours() != 6 {
		t.Errorf("drift %+v", g.Drift)
	}
	if got, want := join(g.Affected([]string{"infra/network/main.tf"}, nil)), "network cluster db apps"; got != want {
		t.Errorf("affected %q, want %q", got, want)
	}
}

func TestJSONKeepsTheContract(t *testing.T) {
	tree := treeOf(designRepository)
	g := scanTree(t, tree)
	files, err := g.Files(tree)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := g.JSON(files)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Units    []map[string]any
		Edges    []map[string]any
		Files    map[string][]string
		Warnings []map[string]any
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Units[0]["id"] != "apps" || doc.Units[0]["kind"] != "manifests" || doc.Units[0]["path"] != "k8s/apps" {
		t.Errorf("first unit %v", doc.Units[0])
	}
	if doc.Units[1]["dir"] != "infra/cluster" || doc.Units[1]["workspace"] != "prod" {
		t.Errorf("second unit %v", doc.Units[1])
	}
	e := doc.Edges[1]
	if e["from"] != "db" || e["to"] != "apps" || e["why"] != "outputs" || e["file"] != "mooring.hcl" || e["line"] != float64(14) {
		t.Errorf("edge %v", e)
	}
	if got := join(doc.Files["infra/network/main.tf"]); got != "network" {
		t.Errorf("files of network: %q", got)
	}
	if got := join(doc.Files["tenants/a/common.tfvars"]); got != "tenants/a/infra" {
		t.Errorf("files of common.tfvars: %q", got)
	}
	if doc.Warnings == nil {
		t.Error("warnings must be a list even when empty")
	}
}
