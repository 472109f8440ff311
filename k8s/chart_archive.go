package k8s

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

// ErrNotFetched is wrapped by the SourceError of a chart from elsewhere whose archive is not at hand.
var ErrNotFetched = errors.New("the chart is not fetched")

// remoteChart renders a packed chart; dir, a repository path, holds its values files and nothing that would be applied.
func (t *tree) remoteChart(dir string) []document {
	var files, kustomizations []string
	t.walk(dir, &files, &kustomizations)
	for _, k := range kustomizations {
		t.fault(k, 0, "a kustomization beside a chart from elsewhere is not built; make it a set of its own")
	}
	for _, f := range files {
		if line := t.manifestIn(f); line > 0 {
			t.fault(f, line, "a manifest beside a chart from elsewhere is not applied: path holds values files; move it to a set of its own")
		}
	}
	if len(t.faults) > 0 {
		return nil
	}
	_, name, _ := strings.Cut(t.src.Chart.Origin, "://") // places read "registry.example.com/charts/web/templates/x.yaml"
	name, _, _ = strings.Cut(name, " ")
	r := &chartRender{tree: t, dir: name, file: path.Join(name, chartFile), options: t.src.Chart}
	docs := r.render()
	t.faults = append(t.faults, r.faults...)
	return docs
}

// manifestIn is the line of the first document that is an object of Kubernetes, 0 for none.
func (t *tree) manifestIn(file string) int {
	data, err := t.read(file)
	if err != nil {
		return 0
	}
	docs, _ := decodeNodes(file, data) // what is no YAML is said where it is used
	for _, n := range docs {
		if n.Kind == yaml.MappingNode && childOf(n, "apiVersion") != nil && childOf(n, "kind") != nil {
			return n.Line
		}
	}
	return 0
}

// loadArchive opens the archive, and only one that has the digest: the bytes that were summed are those that are read.
func (r *chartRender) loadArchive() bool {
	if r.options.Archive == "" {
		r.readValues() // as far as it goes without the chart
		r.faults = append(r.faults, &SourceError{File: r.file, Message: r.options.Origin + " is not fetched here", Err: ErrNotFetched})
		return false
	}
	data, err := readArchive(r.options.Archive)
	if err != nil {
		r.fault(r.file, 0, "read the archive of %s: %s", r.options.Origin, plainFileError(err))
		return false
	}
	sum := sha256.Sum256(data)
	if got := "sha256:" + hex.EncodeToString(sum[:]); got != r.options.Digest {
		r.fault(r.file, 0, "the archive of %s is %s, not %s. It is not opened", r.options.Origin, got, r.options.Digest)
		return false
	}
	files, err := archive.LoadArchiveFiles(bytes.NewReader(data))
	if err == nil {
		r.chart, err = loader.LoadFiles(files)
	}
	if err != nil {
		r.fault(r.file, 0, "%s is no chart that can be read: %s", r.options.Origin, unwrapped(err.Error()))
		return false
	}
	return true
}

func readArchive(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}
