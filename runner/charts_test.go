package runner

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/workspace"
)

// packed is a chart as `helm package` makes it.
func packed(t *testing.T, files ...[2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	tw := tar.NewWriter(zip)
	for _, f := range files {
		if err := tw.WriteHeader(&tar.Header{Name: f[0], Mode: 0o644, Size: int64(len(f[1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(f[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tw.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestChartFromElsewhere(t *testing.T) {
	chart := packed(t, [2]string{"web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.2.3\n"}, [2]string{"web/values.yaml", "v: default\n"},
		[2]string{"web/templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"{{ .Release.Name }}\"}\ndata: {v: \"{{ .Values.v }}\"}\n"})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(chart) }))
	defer server.Close()
	good := fmt.Sprintf("sha256:%x", sha256.Sum256(chart))
	opts := Options{DataDir: t.TempDir(), Charts: ChartOptions{Allow: []string{server.URL + "/charts/*"}}}
	store := newCharts(opts)
	read := func(path, source, digest, more string) (*workspace.Unit, string, error) {
		dir := t.TempDir()
		config := fmt.Sprintf("manifests \"front\" {\n  path         = %q\n  values_files = [\"prod.yaml\"]\n  chart {\n    source = %q\n    digest = %q\n  }\n}\n", path, source, digest)
		for name, text := range map[string]string{"mooring.hcl": config, "apps/front/prod.yaml": "v: prod\n", "apps/front/other.yaml": "v: other\n", "apps/front/more.yaml": more,
			"apps/chart/Chart.yaml": "name: x\n", "apps/chart/prod.yaml": "v: 1\n"} {
			file := filepath.Join(dir, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		tree, err := workspace.WorkingCopy(dir)
		if err != nil {
			t.Fatal(err)
		}
		g, err := workspace.NewScanner(workspace.ScannerOptions{ChartFaults: ChartFaults(opts.Charts.Allow)}).Scan(t.Context(), tree)
		if err != nil {
			return nil, dir, err
		}
		return g.Unit("front"), dir, nil
	}

	u, dir, err := read("apps/front", server.URL+"/charts/web.tgz", good, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckManifests(dir, u, nil); err != nil {
		t.Errorf("checked without fetching: %v", err)
	}
	src := filesOf(u, dir, nil)
	if _, err := k8s.Render(src); !errors.Is(err, k8s.ErrNotFetched) {
		t.Errorf("rendered without the archive: %v", err)
	}
	src.Revision = "a"
	before, _ := src.Digest([]byte("key"))
	if err := fetchChart(t.Context(), store, u, &src); err != nil {
		t.Fatal(err)
	}
	if after, err := src.Digest([]byte("key")); err != nil || after != before || after == "" {
		t.Errorf("the source's digest is %q before the fetch and %q after it, %v", before, after, err)
	}
	objects, err := k8s.Render(src)
	if err != nil {
		t.Fatal(err)
	}
	place := strings.TrimPrefix(server.URL, "http://") + "/charts/web.tgz/templates/a.yaml"
	if len(objects) != 1 || objects[0].GetName() != "front" || objects[0].File != place || fmt.Sprint(objects[0].Object["data"]) != "map[v:prod]" {
		t.Errorf("rendered %+v", objects)
	}
	if err := os.WriteFile(src.Chart.Archive, packed(t, [2]string{"web/Chart.yaml", "x"}), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := k8s.Render(src); err == nil || !strings.Contains(err.Error(), "It is not opened") {
		t.Errorf("an archive that was exchanged: %v", err)
	}

	u, dir, err = read("apps/front", server.URL+"/charts/web.tgz", "sha256:"+strings.Repeat("0", 64), "")
	if err != nil {
		t.Fatal(err)
	}
	src = filesOf(u, dir, nil)
	if err := fetchChart(t.Context(), store, u, &src); err == nil || !strings.HasPrefix(err.Error(), "mooring.hcl:4: the chart has another digest") {
		t.Errorf("another digest: %v", err)
	}
	u, dir, err = read("apps/front", server.URL+"/charts/web.tgz", good, "apiVersion: v1\nkind: ConfigMap\n")
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckManifests(dir, u, nil); err == nil || !strings.HasPrefix(err.Error(), "apps/front/more.yaml:1: a manifest beside") {
		t.Errorf("a manifest beside it: %v", err)
	}
	for _, tt := range []struct{ path, source, digest, want string }{
		{"apps/front", server.URL + "/other/web.tgz", good, "mooring.hcl:5: Bad source: " + server.URL + "/other/web.tgz is not on the server's allowlist"},
		{"apps/front", server.URL + "/charts/web.tgz", "1.2.3", "mooring.hcl:6: Bad digest"},
		{"apps/chart", server.URL + "/charts/web.tgz", good, "mooring.hcl:4: Two sources"},
	} {
		if _, _, err := read(tt.path, tt.source, tt.digest, ""); err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(tt.want)) {
			t.Errorf("%s %s: %v; want %s", tt.path, tt.source, err, tt.want)
		}
	}
}
