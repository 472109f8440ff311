package edit

import (
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// modules are a unit's files, read when they are needed.
type modules struct {
	source Source
	files  map[string][]byte
	read   map[string]*hclsyntax.Body
}

func newModules(s Source) *modules {
	return &modules{source: s, files: maps.Clone(s.Files), read: map[string]*hclsyntax.Body{}}
}

func (m *modules) replace(file string, text []byte) {
	m.files[file] = text
	delete(m.read, file)
}

// body is a file in native syntax.
func (m *modules) body(file string) (*hclsyntax.Body, *refusal) {
	if b := m.read[file]; b != nil {
		return b, nil
	}
	b, no := parse(m.files[file], file)
	if no == nil {
		m.read[file] = b
	}
	return b, no
}

func parse(text []byte, file string) (*hclsyntax.Body, *refusal) {
	f, diags := hclsyntax.ParseConfig(text, file, hcl.InitialPos)
	if diags.HasErrors() {
		line := 0
		if subject := diags[0].Subject; subject != nil {
			line = subject.Start.Line
		}
		return nil, refuse("the file cannot be read: %s", strings.ToLower(diags[0].Summary)).at(file, line)
	}
	return f.Body.(*hclsyntax.Body), nil
}

// of are the files of one directory with one of these ends, in order.
func (m *modules) of(dir string, ends ...string) []string {
	var out []string
	for _, file := range slices.Sorted(maps.Keys(m.files)) {
		if path.Dir(file) == dir && slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(file, end) }) {
			out = append(out, file)
		}
	}
	return out
}

func (m *modules) native(dir string) []string { return m.of(dir, ".tf", ".tofu") }

// placed is a block and where it stands.
type placed struct {
	*hclsyntax.Block
	file string
	at   int // among the blocks of its file
}

func (p placed) line() int { return p.DefRange().Start.Line }

// blocks are those of a directory with this type and these labels; with no label given, all of the type.
func (m *modules) blocks(dir, kind string, labels ...string) ([]placed, *refusal) {
	var out []placed
	for _, file := range m.native(dir) {
		body, no := m.body(file)
		if no != nil {
			return nil, no
		}
		for i, b := range body.Blocks {
			if b.Type == kind && (len(labels) == 0 || slices.Equal(b.Labels, labels)) {
				out = append(out, placed{b, file, i})
			}
		}
	}
	return out, nil
}

// find is the block of a resource.
func (m *modules) find(text string) (*resource, error) {
	a, err := parseAddress(text)
	if err != nil {
		return nil, err
	}
	dir, call := clean(m.source.Dir), placed{}
	if !m.source.Own[dir] {
		return nil, refuse("its root module is also another unit's: the change would be theirs too").at(dir, 0)
	}
	for _, name := range a.calls {
		var no *refusal
		if dir, call, no = m.called(dir, name); no != nil {
			return nil, no
		}
	}
	found, no := m.blocks(dir, "resource", a.kind, a.name)
	if no != nil {
		return nil, no
	}
	if len(found) == 0 {
		if file := m.inJSON(dir, "resource", a.kind, a.name); file != "" {
			return nil, refuse("it is written in JSON syntax").at(file, 0)
		}
		return nil, refuse("no block of it is in the files").at(dir, 0)
	}
	for _, b := range found {
		if overrides(b.file) {
			return nil, refuse("an override file says something of it too").at(b.file, b.line())
		}
	}
	if file := m.inJSON(dir, "resource", a.kind, a.name); file != "" {
		return nil, refuse("a file in JSON syntax says something of it too").at(file, 0)
	}
	if len(found) > 1 {
		return nil, refuse("it has %d blocks", len(found)).at(found[1].file, found[1].line())
	}
	return &resource{placed: found[0], modules: m, dir: dir, call: call, text: m.files[found[0].file]}, nil
}

// called is the directory of a local module that a directory calls by this name.
func (m *modules) called(dir, name string) (string, placed, *refusal) {
	calls, no := m.blocks(dir, "module", name)
	if no != nil {
		return "", placed{}, no
	}
	if len(calls) != 1 {
		return "", placed{}, refuse("no single block calls module %s", name).at(dir, 0)
	}
	call := calls[0]
	target, no := source(call)
	if no != nil {
		return "", placed{}, no.at(call.file, call.line())
	}
	for _, many := range []string{"count", "for_each"} {
		if call.Body.Attributes[many] != nil {
			return "", placed{}, refuse("module %s has %s: the change would be every copy's", name, many).at(call.file, call.line())
		}
	}
	n, no := m.callsOf(target)
	switch {
	case no != nil:
		return "", placed{}, no
	case n > 1:
		return "", placed{}, refuse("module %s is called %d times: the change would be all of theirs", target, n).at(call.file, call.line())
	case !m.source.Own[target]:
		return "", placed{}, refuse("module %s is not this unit's alone: the change would be others' too", target).at(call.file, call.line())
	}
	return target, call, nil
}

// source is the directory of a call, where it is a local one.
func source(call placed) (string, *refusal) {
	attr := call.Body.Attributes["source"]
	if attr == nil {
		return "", refuse("the module's source is missing")
	}
	v, ok := tree(attr.Expr, nil).(scalar)
	if !ok {
		return "", refuse("the module's source is no plain text")
	}
	s := v.text
	if !strings.HasPrefix(s, "./") && !strings.HasPrefix(s, "../") && s != "." && s != ".." {
		return "", refuse("its module is not of this repository")
	}
	dir := path.Join(path.Dir(call.file), s)
	if dir == ".." || strings.HasPrefix(dir, "../") {
		return "", refuse("its module is outside of the repository")
	}
	return dir, nil
}

// callsOf counts the calls of a local module in all files.
func (m *modules) callsOf(target string) (int, *refusal) {
	n := 0
	dirs := map[string]bool{}
	for file := range m.files {
		dirs[path.Dir(file)] = true
	}
	for dir := range dirs {
		if file := m.inJSON(dir, "module"); file != "" {
			return 0, refuse("modules are called in JSON syntax too, which is not read").at(file, 0)
		}
		calls, no := m.blocks(dir, "module")
		if no != nil {
			return 0, no
		}
		for _, call := range calls {
			if to, no := source(call); no == nil && to == target {
				n++
			}
		}
	}
	return n, nil
}

func overrides(file string) bool {
	name := path.Base(file)
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".tf"), ".tofu")
	return name == "override" || strings.HasSuffix(name, "_override")
}

// inJSON is the file in JSON syntax of a directory that holds such a block; "" for none. One that cannot be read may hold it.
func (m *modules) inJSON(dir string, names ...string) string {
	for _, file := range m.of(dir, ".tf.json", ".tofu.json") {
		var v any
		if json.Unmarshal(m.files[file], &v) != nil || within(v, names) {
			return file
		}
	}
	return ""
}

func within(v any, names []string) bool {
	if len(names) == 0 {
		return true
	}
	switch v := v.(type) {
	case map[string]any:
		next, ok := v[names[0]]
		return ok && within(next, names[1:])
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return within(item, names) })
	}
	return false
}
