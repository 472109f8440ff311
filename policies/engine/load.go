package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

// Options bound what policies may use. The zero value is the usual bounds.
type Options struct {
	Timeout time.Duration // for all rules on one unit; 0: 10 s
	Memory  uint64        // by how many bytes the heap may grow while rules run; 0: 512 MiB
}

func (o Options) usual() Options {
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Memory == 0 {
		o.Memory = 512 << 20
	}
	return o
}

// Engine is policies that were loaded. It may be used by many at once. A nil one and the zero one deny everything.
type Engine struct {
	loaded  bool
	options Options
	sources []*compiled
	digest  string
}

// compiled is a source that is ready.
type compiled struct {
	source     Source
	compiler   *ast.Compiler
	store      *store
	rules      []rule
	exceptions map[string]rego.PreparedEvalQuery // by namespace
	inputs     map[string]bool                   // the members of input that are read
	whole      bool                              // all of them may be
}

func (s Source) version() ast.RegoVersion {
	if s.V0 {
		return ast.RegoV0
	}
	return ast.RegoV1
}

// Load reads and compiles sources. The error is a *LoadError with everything that is wrong in any of them; then there
// is no engine. No sources make an engine that has no rules and denies only what it cannot read.
func Load(ctx context.Context, sources []Source, o Options) (*Engine, error) {
	e := &Engine{loaded: true, options: o.usual()}
	sum := sha256.New()
	var problems []Problem
	for _, s := range sources {
		c, more := s.compile(ctx, sum)
		problems = append(problems, more...)
		e.sources = append(e.sources, c)
	}
	if len(problems) > 0 {
		return nil, &LoadError{problems}
	}
	e.digest = "sha256:" + hex.EncodeToString(sum.Sum(nil))
	return e, nil
}

// Digest is of all that decides: policies, data, settings, and how they are read. Tests are not in it.
func (e *Engine) Digest() string {
	if e == nil {
		return ""
	}
	return e.digest
}

// Rules counts the rules that are asked.
func (e *Engine) Rules() int {
	n := 0
	if e != nil {
		for _, c := range e.sources {
			n += len(c.rules)
		}
	}
	return n
}

func (s Source) compile(ctx context.Context, sum hash.Hash) (*compiled, []Problem) {
	files, problems := s.read()
	data, more := s.merge(files.data)
	problems = append(problems, more...)
	s.digest(sum, files)
	c := &compiled{source: s, store: &store{base: view{newTerms().of(data).Value.(ast.Object)}}, exceptions: map[string]rego.PreparedEvalQuery{}}
	modules, more := s.parse(files.rego)
	if problems = append(problems, more...); len(problems) > 0 {
		return nil, problems
	}
	c.compiler = s.compiler(c.store)
	if c.compiler.Compile(modules); c.compiler.Failed() {
		return nil, s.problemsOf(c.compiler.Errors, s.Dir)
	}
	rules, exceptions, packages := s.rulesOf(c.compiler)
	c.rules = rules
	if problems = s.complete(len(rules), packages); len(problems) > 0 {
		return nil, problems
	}
	c.inputs, c.whole = inputsOf(c.compiler.Modules)
	for i, r := range c.rules {
		query, err := c.prepare(ctx, r.namespace, r.name)
		if err != nil {
			return nil, s.problemsOf(err, r.file)
		}
		c.rules[i].query = query
	}
	for _, namespace := range sorted(exceptions) {
		query, err := c.prepare(ctx, namespace, "exception")
		if err != nil {
			return nil, s.problemsOf(err, s.Dir)
		}
		c.exceptions[namespace] = query
	}
	return c, nil
}

// compiler is what every source is compiled with.
func (s Source) compiler(data *store) *ast.Compiler {
	return ast.NewCompiler().
		WithCapabilities(capabilities(s.version())).
		WithDefaultRegoVersion(s.version()).
		WithPathConflictsCheck(data.has)
}

// parse reads policies. Their locations are places as messages say them.
func (s Source) parse(files []text) (map[string]*ast.Module, []Problem) {
	modules := map[string]*ast.Module{}
	var problems []Problem
	for _, f := range files {
		place := s.place(f.name)
		m, err := ast.ParseModuleWithOpts(place, string(f.body), s.parserOptions(s.version()))
		if err != nil {
			more := s.problemsOf(err, place)
			if remedy := s.otherSyntax(f); remedy != "" {
				for i := range more {
					more[i].Remedy = remedy
				}
			}
			problems = append(problems, more...)
			continue
		}
		if namespace := namespaceOf(m); reserved(namespace) {
			problems = append(problems, Problem{
				Source: s.Name, File: place, Line: m.Package.Loc().Row,
				Message: fmt.Sprintf("package %s is where Mooring says what it knows of the run", namespace), Remedy: "Give the package another name.",
			})
			continue
		}
		modules[place] = m
	}
	return modules, problems
}

func (s Source) parserOptions(v ast.RegoVersion) ast.ParserOptions {
	return ast.ParserOptions{Capabilities: capabilities(v), RegoVersion: v, ProcessAnnotation: true}
}

// otherSyntax says what to do where a policy that does not parse would in the other syntax of Rego.
func (s Source) otherSyntax(f text) string {
	other, remedy := ast.RegoV0, `The policy is written in Rego v0: set the source's rego to "v0", or add "if" and "contains" with: opa fmt --v0-v1 -w.`
	if s.V0 {
		other, remedy = ast.RegoV1, `The policy is written in Rego v1: take rego = "v0" away, or add: import rego.v1.`
	}
	if _, err := ast.ParseModuleWithOpts(f.name, string(f.body), s.parserOptions(other)); err != nil {
		return ""
	}
	return remedy
}

// reserved tells whether rules of a package would hide what Mooring says of the run. Its own pack is below it.
func reserved(namespace string) bool {
	first, rest, _ := strings.Cut(namespace, ".")
	return slices.Contains(ours, first) && !(first == "mooring" && (rest == "pack" || strings.HasPrefix(rest, "pack.")))
}

// complete says what is missing: a package that is to be asked, or any rule.
func (s Source) complete(rules int, packages map[string]bool) []Problem {
	var problems []Problem
	if s.Required && rules == 0 {
		problems = append(problems, Problem{
			Source: s.Name, File: s.Dir, Message: "policies are required here, and there is no deny, violation, warn or ask rule" + s.among(packages),
		})
	} else if len(packages) > 0 {
		names, _ := s.namespaces()
		for _, name := range names {
			if !packages[name] {
				problems = append(problems, Problem{
					Source: s.Name, File: s.Dir, Message: fmt.Sprintf("no policy is in package %s", name) + s.among(packages),
					Remedy: "Set the namespaces that are to be asked, or rename the package.",
				})
			}
		}
	}
	return problems
}

func (s Source) among(packages map[string]bool) string {
	names, all := s.namespaces()
	if all || len(packages) == 0 {
		return ""
	}
	return fmt.Sprintf(" in %s; there are the packages %s", strings.Join(names, ", "), strings.Join(sorted(packages), ", "))
}

// digest adds to the sum what decides in a source. Lengths stand before texts, so that no two sources are written alike.
func (s Source) digest(sum hash.Hash, files texts) {
	write := func(parts ...string) {
		for _, p := range parts {
			fmt.Fprintf(sum, "%d:%s", len(p), p)
		}
	}
	settings, _ := json.Marshal(s.Settings) // what cannot be written is a problem of merge
	names, all := s.namespaces()
	write("source", fmt.Sprint(s.V0, s.Required, all, len(names)), string(settings))
	write(names...)
	for _, kind := range [][]text{files.rego, files.data} {
		write("files", fmt.Sprint(len(kind)))
		for _, f := range kind {
			write(f.name, string(f.body))
		}
	}
}
