package runner

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/workspace"
)

// sources is a repository with a chart that is given an output, and an encrypted Secret.
const sources = `
-- mooring.hcl --
manifests "web" {
  path      = "charts/web"
  namespace = "prod"
  release   = "front"
  values    = { db = { password = workspace.db.outputs.password, host = "db.example.com" }, replicas = 2 }
}
workspace "db" { dir = "db" }
manifests "sealed" { path = "sealed" }
-- db/main.tf --
output "password" {
  value     = "x"
  sensitive = true
}
-- charts/web/Chart.yaml --
apiVersion: v2
name: web
version: 1.0.0
-- charts/web/templates/all.yaml --
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
stringData: {password: {{ .Values.db.password | quote }}, replicas: {{ .Values.replicas | quote }}}
`

// scanned writes an archive to a directory and reads it as Mooring does.
func scanned(t *testing.T, archive string) (dir string, g *workspace.Graph) {
	t.Helper()
	dir = t.TempDir()
	files := txtar.Parse([]byte(archive)).Files
	sealed, err := os.ReadFile("../k8s/testdata/sops/regex.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(files, txtar.File{Name: "sealed/secret.yaml", Data: sealed}) {
		p := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := workspace.WorkingCopy(dir)
	if err != nil {
		t.Fatal(err)
	}
	if g, err = workspace.NewScanner(workspace.ScannerOptions{}).Scan(context.Background(), tree); err != nil {
		t.Fatal(err)
	}
	return dir, g
}

func TestChartIsGivenOutputs(t *testing.T) {
	dir, g := scanned(t, sources)
	u := g.Unit("web")
	outs := func(string) (map[string]workspace.Output, bool) {
		return map[string]workspace.Output{"password": {JSON: []byte(`"hunter2"`), Sensitive: true}}, true
	}
	objects, err := renderSet(u, dir, outs, nil)
	if err != nil {
		t.Fatal(err)
	}
	data := objects[0].Object["stringData"].(map[string]any)
	if objects[0].Ref() != "v1 Secret prod/front" || data["password"] != "hunter2" || data["replicas"] != "2" {
		t.Errorf("%s holds %v", objects[0].Ref(), data)
	}
	if _, err := renderSet(u, dir, func(string) (map[string]workspace.Output, bool) { return nil, false }, nil); !errors.Is(err, k8s.ErrUnknownValue) {
		t.Errorf("an output that is not known yet: %v", err)
	}
	if err := CheckManifests(dir, u, nil); err != nil {
		t.Errorf("what only an output would tell is no fault: %v", err)
	}
	dir, g = scanned(t, strings.Replace(sources, "name: web\n", "name: web\ndependencies: [{name: redis, version: 1.0.0}]\n", 1))
	if err := CheckManifests(dir, g.Unit("web"), nil); err == nil || !strings.Contains(err.Error(), "charts/web/Chart.yaml:3: the dependency redis is not in charts/web/charts") {
		t.Errorf("a missing dependency: %v", err)
	}
}

func TestEncryptedManifestsNeedTheServersKey(t *testing.T) {
	dir, g := scanned(t, sources)
	u := g.Unit("sealed")
	if err := CheckManifests(dir, u, nil); err != nil {
		t.Errorf("without a server's configuration nobody knows its keys: %v", err)
	}
	none, err := k8s.ReadKeys(k8s.KeyConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckManifests(dir, u, none); !errors.Is(err, k8s.ErrNoKey) {
		t.Errorf("a server without a key: %v", err)
	}
	keys, err := k8s.ReadKeys(k8s.KeyConfig{AgeKeyFile: "../k8s/testdata/sops/key.txt"})
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckManifests(dir, u, keys); err != nil {
		t.Error(err)
	}
	if _, err := k8s.ReadKeys(k8s.KeyConfig{AgeKeyFile: filepath.Join(dir, "mooring.hcl")}); err == nil {
		t.Error("a file that holds no key was taken")
	}
}

// renderSet makes the objects of a set from the files below root.
func renderSet(u *workspace.Unit, root string, outs upstreamOutputs, keys *k8s.Keys) ([]k8s.Object, error) {
	src, err := sourceOf(u, root, outs, keys)
	if err != nil {
		return nil, err
	}
	return k8s.Render(src)
}
