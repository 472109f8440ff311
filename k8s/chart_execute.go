package k8s

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/engine"
)

// execute runs the templates: files by Helm's name for them. It runs them twice, and refuses what comes out
// differently: such an object would be changed by every run.
func (r *chartRender) execute(top common.Values) map[string]string {
	now := time.Now()
	files, err := r.engine(now).RenderWithContext(context.Background(), r.chart, top)
	if err != nil {
		r.templateFault(err)
		return nil
	}
	again, err := r.engine(now.Add(25*time.Hour+time.Minute+time.Second)).RenderWithContext(context.Background(), r.chart, top)
	if err != nil {
		r.templateFault(err)
		return nil
	}
	for _, name := range sortedKeys(files) {
		if files[name] != again[name] {
			r.fault(r.placeOf(name), 0, "the template renders another text each time (it uses the clock, random text, a generated key or certificate, or the order of a map), so every run would change the cluster; give the chart a value to use instead")
		}
	}
	return files
}

// engine is Helm's without a cluster to look things up in, without DNS, and with bounds on what one call of
// a function may make.
func (r *chartRender) engine(now time.Time) engine.Engine {
	return engine.Engine{CustomTemplateFuncs: template.FuncMap{
		"now":       func() time.Time { return now },
		"until":     bounded1(sprigFunc[func(int) []int]("until")),
		"untilStep": boundedStep(sprigFunc[func(int, int, int) []int]("untilStep")),
		"repeat":    boundedRepeat,
		"getHostByName": func(string) (string, error) {
			return "", fmt.Errorf("getHostByName would ask a name server, and nothing is asked while rendering")
		},
	}}
}

// maxMade is how many items, or bytes, one call of a template function may make.
const maxMade = 1 << 20

func sprigFunc[F any](name string) F { return sprig.FuncMap()[name].(F) }

func bounded1(f func(int) []int) func(int) ([]int, error) {
	return func(n int) ([]int, error) {
		if n > maxMade || n < -maxMade {
			return nil, fmt.Errorf("until %d is too many", n)
		}
		return f(n), nil
	}
}

func boundedStep(f func(int, int, int) []int) func(int, int, int) ([]int, error) {
	return func(start, stop, step int) ([]int, error) {
		if step != 0 && (stop-start)/step > maxMade {
			return nil, fmt.Errorf("untilStep %d %d %d is too many", start, stop, step)
		}
		return f(start, stop, step), nil
	}
}

func boundedRepeat(n int, s string) (string, error) {
	if n > 0 && len(s) > 0 && n > 16*maxMade/len(s) {
		return "", fmt.Errorf("repeat %d is too much", n)
	}
	return strings.Repeat(s, max(n, 0)), nil
}

// templateAt is the place in a template error: Helm's path, line and perhaps column.
var templateAt = regexp.MustCompile(`\(?([^\s()":]+/(?:templates|charts)/[^\s()":]+):(\d+)(?::\d+)?\)?`)

// templateFault puts an error of the engine at the file and line it names first.
func (r *chartRender) templateFault(err error) {
	text := unwrapped(err.Error())
	m := templateAt.FindStringSubmatchIndex(text)
	if m == nil {
		r.fault(r.file, 0, "render the chart: %s", text)
		return
	}
	line := 0
	_, _ = fmt.Sscan(text[m[4]:m[5]], &line)
	file := r.placeOf(text[m[2]:m[3]])
	message := strings.Trim(strings.TrimPrefix(text[:m[0]], "execution error at ")+text[m[1]:], ": ")
	if !strings.HasPrefix(file, path.Join(r.dir, "templates")+"/") && strings.HasSuffix(file, ".tgz") {
		message, line = text, 0
	}
	r.fault(file, line, "%s", strings.TrimPrefix(message, "parse error at : "))
}

// placeOf is the repository path of a file that Helm names by charts: "web/charts/redis/templates/x.yaml".
func (r *chartRender) placeOf(name string) string {
	_, rest, _ := strings.Cut(name, "/")
	dir := r.dir
	for {
		if p := path.Join(dir, rest); r.tree.isFile(p) {
			return p
		}
		sub, ok := strings.CutPrefix(rest, "charts/")
		if !ok {
			return path.Join(dir, rest)
		}
		var dependency string
		dependency, rest, _ = strings.Cut(sub, "/")
		next := ""
		for _, name := range []string{dependency, r.aliases[dependency]} {
			if p := path.Join(dir, "charts", name); name != "" && r.tree.isDir(p) {
				next = p
				break
			}
			if archive := r.tree.archiveOf(path.Join(dir, "charts"), name); name != "" && archive != "" {
				return archive
			}
		}
		if next == "" {
			return path.Join(dir, "charts", dependency, rest)
		}
		dir = next
	}
}

func (t *tree) isDir(p string) bool {
	info, err := t.root.Stat(p)
	return err == nil && info.IsDir()
}

// archiveOf is the packed chart of a name in a directory, or "".
func (t *tree) archiveOf(dir, name string) string {
	f, err := t.root.Open(dir)
	if err != nil {
		return ""
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	slices.Sort(names)
	for _, n := range names {
		if strings.HasPrefix(n, name+"-") && strings.HasSuffix(n, ".tgz") {
			return path.Join(dir, n)
		}
	}
	return ""
}
