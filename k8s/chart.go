package k8s

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	chartutil "helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	chartv2util "helm.sh/helm/v4/pkg/chart/v2/util"
)

// chartFile makes a directory a Helm chart.
const chartFile = "Chart.yaml"

// Chart says how a Helm chart is rendered.
type Chart struct {
	Release     string   // name of the release; "" is the last element of the set's path
	Namespace   string   // of the release; "" is "default"
	ValuesFiles []string // repository paths; a later file wins over an earlier one, and Source.Values over all
	KubeVersion string   // the version that templates see, such as "1.34"; "" is that of the client library
	APIVersions []string // what templates may find besides the built-in APIs: "monitoring.coreos.com/v1"
	IgnoreHooks []string // Helm hooks to leave out: "pre-delete"

	// Of a chart that is not at Path, which then holds its values files:
	Origin  string // where it comes from, for people: "oci://registry.example.com/charts/web 1.2.3"; "" for a chart at Path
	Digest  string // "sha256:…" of the archive
	Archive string // file on disk that holds it; "" while it is not fetched, and then rendering answers ErrNotFetched
}

// given tells whether anything is asked for that only a chart has.
func (c Chart) given() bool {
	return c.Release != "" || len(c.ValuesFiles) > 0 || c.KubeVersion != "" || len(c.APIVersions) > 0 || len(c.IgnoreHooks) > 0 || c.Origin != ""
}

// chart renders the Helm chart in dir, a repository path: its crds/ first, then its templates by path.
func (t *tree) chart(dir string) []document {
	r := &chartRender{tree: t, dir: dir, file: path.Join(dir, chartFile), options: t.src.Chart}
	docs := r.render()
	t.faults = append(t.faults, r.faults...)
	return docs
}

// chartRender is one chart on its way to documents.
type chartRender struct {
	tree    *tree
	dir     string // of the chart
	file    string // its Chart.yaml
	options Chart
	faults  []*SourceError

	chart   *chart.Chart
	values  chartValues
	aliases map[string]string // alias of a dependency to its name
}

func (r *chartRender) fault(file string, line int, format string, args ...any) {
	r.faults = append(r.faults, &SourceError{File: file, Line: line, Message: r.values.hidden.conceal(fmt.Sprintf(format, args...))})
}

func (r *chartRender) render() []document {
	if r.options.Origin == "" {
		r.load()
	} else if !r.loadArchive() {
		return nil
	}
	if len(r.faults) > 0 {
		return nil
	}
	r.dependencies()
	r.readValues()
	caps := r.capabilities()
	if len(r.faults) > 0 {
		return nil
	}
	if name := r.unknown(); name != "" {
		r.faults = append(r.faults, &SourceError{File: r.file, Message: name + " known only after apply, and a chart is rendered with all its values", Err: ErrUnknownValue})
		return nil
	}
	top, err := r.renderValues(caps)
	if err != nil {
		r.fault(r.file, 0, "values: %s", unwrapped(err.Error()))
		return nil
	}
	if r.checkSchema(r.chart, top["Values"]); len(r.faults) > 0 {
		return nil
	}
	files := r.execute(top)
	if len(r.faults) > 0 {
		return nil
	}
	docs := r.crds()
	for _, name := range sortedKeys(files) {
		docs = append(docs, r.manifests(name, files[name])...)
	}
	return docs
}

// unknown says which value is not known yet, or "".
func (r *chartRender) unknown() string {
	if r.tree.src.Unknown {
		return "the values are"
	}
	for _, name := range sortedKeys(r.tree.src.Values) {
		if r.tree.src.Values[name].Unknown {
			return "the value " + name + " is"
		}
	}
	return ""
}

// renderValues makes what templates see as their dot.
func (r *chartRender) renderValues(caps *common.Capabilities) (common.Values, error) {
	if err := chartv2util.ProcessDependencies(r.chart, r.values.given); err != nil {
		return nil, err
	}
	// The schema is checked by checkSchema: the library's own check would fetch what a schema refers to.
	return chartutil.ToRenderValuesWithSchemaValidation(r.chart, r.values.given, r.release(), caps, true)
}

func (r *chartRender) release() common.ReleaseOptions {
	o := common.ReleaseOptions{Name: r.options.Release, Namespace: r.options.Namespace, Revision: 1, IsInstall: true}
	if o.Name == "" {
		o.Name = path.Base(path.Clean("/" + r.tree.src.Path))
	}
	if o.Namespace == "" {
		o.Namespace = "default"
	}
	return o
}

// dependencies finds those that Chart.yaml names and charts/ lacks.
func (r *chartRender) dependencies() {
	r.aliases = map[string]string{}
	r.collectAliases(r.chart)
	text := r.chartText()
	if o := r.release(); chartv2util.ValidateReleaseName(o.Name) != nil {
		r.fault(r.file, 0, "%q cannot be the name of a release: at most 53 lower-case letters, digits, - and . are; say release = \"…\" in the manifests block", o.Name)
	}
	if r.chart.Metadata.Type == "library" {
		r.fault(r.file, lineOfText(text, "type:"), "a library chart renders nothing by itself; name it as a dependency of an application chart")
	}
	for _, want := range r.chart.Metadata.Dependencies {
		line := max(lineOfText(text, "name: "+want.Name), lineOfText(text, want.Name))
		var has string
		for _, d := range r.chart.Dependencies() {
			if d.Name() == want.Name && (has == "" || chartv2util.IsCompatibleRange(want.Version, d.Metadata.Version)) {
				has = d.Metadata.Version
			}
		}
		switch {
		case r.options.Origin != "" && (has == "" || !chartv2util.IsCompatibleRange(want.Version, has)):
			r.fault(r.file, line, "the dependency %s %s is not in the archive, and nothing more is fetched: take one that was packed with it (`helm package -u`)", want.Name, want.Version)
		case has == "":
			r.fault(r.file, line, "the dependency %s is not in %s, and nothing is fetched while rendering: run `helm dependency build %s` and commit what it puts there",
				want.Name, path.Join(r.dir, "charts"), r.dir)
		case !chartv2util.IsCompatibleRange(want.Version, has):
			r.fault(r.file, line, "the dependency %s is wanted in version %s, and %s holds %s: run `helm dependency update %s` and commit what it puts there",
				want.Name, want.Version, path.Join(r.dir, "charts"), has, r.dir)
		}
	}
}

// chartText is Chart.yaml as it was written.
func (r *chartRender) chartText() string {
	for _, f := range r.chart.Raw {
		if f.Name == chartFile {
			return string(f.Data)
		}
	}
	return ""
}

func (r *chartRender) collectAliases(c *chart.Chart) {
	for _, d := range c.Metadata.Dependencies {
		if d.Alias != "" {
			r.aliases[d.Alias] = d.Name
		}
	}
	for _, d := range c.Dependencies() {
		r.collectAliases(d)
	}
}

// defaultKubeVersion is that of the client library: the same for every cluster and on every machine.
const defaultKubeVersion = "v1.37.0"

// capabilities are what templates may ask of the cluster. None is asked: the answer is the same everywhere.
func (r *chartRender) capabilities() *common.Capabilities {
	caps := common.DefaultCapabilities.Copy()
	want := r.options.KubeVersion
	if want == "" {
		want = defaultKubeVersion
	}
	if strings.Count(want, ".") == 1 {
		want += ".0"
	}
	version, err := common.ParseKubeVersion(want)
	if err != nil {
		r.fault(r.file, 0, "kube_version %q is no version of Kubernetes such as \"1.34\"", want)
		return caps
	}
	caps.KubeVersion = *version
	caps.APIVersions = append(slices.Clone(caps.APIVersions), r.options.APIVersions...)
	if c := r.chart.Metadata.KubeVersion; c != "" && !chartv2util.IsCompatibleRange(c, version.String()) {
		r.fault(r.file, lineOfText(r.chartText(), "kubeVersion"), "the chart wants Kubernetes %s and is rendered for %s; say kube_version = \"…\" in the manifests block", c, version.String())
	}
	return caps
}

var errChartTooLarge = errors.New("the chart is larger than 100 MiB")

// unwrapped is a text of several lines as one.
func unwrapped(s string) string { return strings.Join(strings.Fields(s), " ") }
