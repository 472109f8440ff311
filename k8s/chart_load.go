package k8s

import (
	"bytes"
	"io/fs"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/ignore"
)

// maxChart is the most that the files of a chart may hold together, in bytes; Helm's own bound for an archive.
const maxChart = 100 << 20

// load reads the chart's files through the checkout's fence and lets Helm make a chart of them.
func (r *chartRender) load() {
	rules := ignore.Empty()
	if data, err := r.tree.read(path.Join(r.dir, ignore.HelmIgnore)); err == nil {
		if rules, err = ignore.Parse(bytes.NewReader(data)); err != nil {
			r.fault(path.Join(r.dir, ignore.HelmIgnore), 0, "%s", firstLine(err))
			return
		}
	}
	rules.AddDefaults()
	l := chartLoad{chartRender: r, rules: rules}
	if l.walk(""); len(r.faults) > 0 {
		return
	}
	for _, f := range l.files {
		switch f.Name {
		case chartFile, "Chart.lock", "values.yaml":
			if line, message := yamlMistake(f.Data); message != "" {
				r.fault(path.Join(r.dir, f.Name), line, "not YAML: %s", message)
			}
		}
	}
	if len(r.faults) > 0 {
		return
	}
	c, err := loader.LoadFiles(l.files)
	if err != nil {
		r.fault(r.file, 0, "%s", strings.TrimPrefix(unwrapped(err.Error()), "validation: "))
		return
	}
	r.chart = c
}

type chartLoad struct {
	*chartRender
	rules *ignore.Rules
	files []*archive.BufferedFile
	size  int
}

// walk reads what lies below sub, a path inside the chart.
func (l *chartLoad) walk(sub string) {
	t := l.tree
	entries, err := fs.ReadDir(t.root.FS(), path.Join(l.dir, sub))
	if err != nil {
		l.fault(path.Join(l.dir, sub), 0, "read the directory: %s", plainFileError(err))
		return
	}
	for _, e := range entries {
		name := path.Join(sub, e.Name())
		p := path.Join(l.dir, name)
		if e.Name() == ".git" || t.excluded(p) {
			continue
		}
		info, err := t.root.Stat(p) // follows links, and refuses those that leave the checkout
		if err != nil {
			l.fault(p, 0, "read: %s", plainFileError(err))
			continue
		}
		switch {
		case l.rules.Ignore(name, info):
		case info.IsDir() && e.Type()&fs.ModeSymlink != 0:
			l.fault(p, 0, "a symbolic link to a directory is not followed; copy the directory into the chart")
		case info.IsDir():
			l.walk(name)
		case info.Mode().IsRegular():
			l.read(name, p)
		}
	}
}

func (l *chartLoad) read(name, p string) {
	data, err := l.tree.read(p)
	if l.size += len(data); err == nil && l.size > maxChart {
		err = errChartTooLarge
	}
	if err != nil {
		l.fault(p, 0, "read: %s", plainFileError(err))
		return
	}
	l.files = append(l.files, &archive.BufferedFile{Name: name, Data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))})
}

// yamlMistake is the first fault of a YAML text: its line, from 1, and what is wrong; "" for none.
func yamlMistake(data []byte) (line int, message string) {
	var n yaml.Node
	if err := yaml.Unmarshal(data, &n); err != nil {
		return yamlFault(err)
	}
	return 0, ""
}
