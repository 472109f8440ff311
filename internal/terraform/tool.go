package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/go-version"
)

// ErrNoTool says that no executable satisfies the constraints.
var ErrNoTool = errors.New("no suitable tool")

// Tool is an executable that runs workspaces.
type Tool struct {
	Name    string // "terraform" or "tofu"
	Path    string
	Version string // as the tool prints it, "1.11.4"
	Digest  string // sha256 of the executable, hex
}

// Tools finds and installs executables. Only Dir is required. Safe for concurrent use; do not copy.
type Tools struct {
	Dir      string            // installs and the memory of versions go here
	Paths    map[string]string // tool name → an executable that the operator named; then nothing else is considered
	PathEnv  string            // where to look, in the form of $PATH; "" looks nowhere
	Releases Releases          // where Terraform is installed from; nil never downloads

	installing sync.Mutex // held for a whole install
	mu         sync.Mutex // guards probes
	probes     *probeCache
}

// UnsatisfiedError tells why there is no tool. It is ErrNoTool.
type UnsatisfiedError struct {
	Name        string
	Constraints []string
	Found       []Tool // what was looked at and does not satisfy
	Reason      error  // why none was installed; nil when installing is not possible for this tool
}

func (e *UnsatisfiedError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "no %s satisfies required_version %s: ", e.Name, quoteConstraints(e.Constraints))
	if len(e.Constraints) == 0 {
		text.Reset()
		fmt.Fprintf(&text, "no %s: ", e.Name)
	}
	if len(e.Found) == 0 {
		text.WriteString("none found on PATH")
	}
	for i, tool := range e.Found {
		if i > 0 {
			text.WriteString(", ")
		}
		fmt.Fprintf(&text, "found %s (%s)", tool.Version, tool.Path)
	}
	if e.Reason != nil {
		fmt.Fprintf(&text, "; installing one: %v", e.Reason)
	}
	remedy := "; put one that does on PATH, or let the server reach the release server"
	if e.Name == "tofu" {
		remedy = "; OpenTofu is never downloaded: put one that does on PATH"
	}
	if len(e.Constraints) > 0 {
		remedy += ", or change required_version"
	}
	return text.String() + remedy
}

// Is makes errors.Is(err, ErrNoTool) true.
func (e *UnsatisfiedError) Is(target error) bool { return target == ErrNoTool }

// Unwrap is the reason that installing failed.
func (e *UnsatisfiedError) Unwrap() error { return e.Reason }

// Find returns an executable of name ("terraform" or "tofu") that satisfies all constraints, in the words of required_version: the
// first on PATH, else the newest installed before, else the newest that can be installed. The error is an *UnsatisfiedError, or says
// which constraint cannot be read.
func (t *Tools) Find(ctx context.Context, name string, constraints []string) (Tool, error) {
	if name != "terraform" && name != "tofu" {
		return Tool{}, fmt.Errorf("find tool %q: only terraform and tofu are known", name)
	}
	want, err := parseConstraints(constraints)
	if err != nil {
		return Tool{}, err
	}
	tool, unsatisfied := t.look(ctx, name, want, t.candidates(name))
	switch {
	case ctx.Err() != nil:
		return Tool{}, fmt.Errorf("find %s: %w", name, ctx.Err())
	case unsatisfied == nil:
		return tool, nil
	case name == "tofu" || t.Paths[name] != "":
	case t.Releases == nil:
		unsatisfied.Reason = errors.New("downloads are turned off")
	default:
		tool, err := t.installOnce(ctx, name, want)
		if err == nil {
			return tool, nil
		}
		unsatisfied.Reason = err
	}
	unsatisfied.Constraints = constraints
	return Tool{}, unsatisfied
}

// look returns the first candidate that satisfies want, or what it saw.
func (t *Tools) look(ctx context.Context, name string, want version.Constraints, candidates []string) (Tool, *UnsatisfiedError) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.probes == nil {
		t.probes = loadProbes(filepath.Join(t.Dir, "versions.json"))
	}
	unsatisfied := &UnsatisfiedError{Name: name}
	for _, candidate := range candidates {
		tool, err := t.probes.probe(ctx, name, candidate)
		if err != nil {
			tool = Tool{Name: name, Path: candidate, Version: "no version: " + err.Error()}
		} else if satisfies(tool.Version, want) {
			return tool, nil
		}
		unsatisfied.Found = append(unsatisfied.Found, tool)
	}
	return Tool{}, unsatisfied
}

// installOnce installs unless another Find has done so meanwhile. Who finds a tool on PATH does not wait for it.
func (t *Tools) installOnce(ctx context.Context, name string, want version.Constraints) (Tool, error) {
	t.installing.Lock()
	defer t.installing.Unlock()
	if tool, unsatisfied := t.look(ctx, name, want, t.installed()); unsatisfied == nil {
		return tool, nil
	}
	executable, err := t.install(ctx, want)
	if err != nil {
		return Tool{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.probes.probe(ctx, name, executable)
}

// candidates lists executables in the order of preference.
func (t *Tools) candidates(name string) []string {
	if configured := t.Paths[name]; configured != "" {
		return []string{configured}
	}
	var found []string
	for _, dir := range filepath.SplitList(t.PathEnv) {
		if !filepath.IsAbs(dir) {
			continue // a relative entry means another directory in every view
		}
		executable := filepath.Join(dir, name)
		if info, err := os.Stat(executable); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 && !slices.Contains(found, executable) {
			found = append(found, executable)
		}
	}
	if name == "terraform" {
		found = append(found, t.installed()...)
	}
	return found
}

func parseConstraints(constraints []string) (version.Constraints, error) {
	var all version.Constraints
	for _, text := range constraints {
		parsed, err := version.NewConstraint(text)
		if err != nil {
			return nil, fmt.Errorf("required_version %q: %w", text, err)
		}
		all = append(all, parsed...)
	}
	return all, nil
}

func satisfies(text string, want version.Constraints) bool {
	v, err := version.NewVersion(text)
	return err == nil && want.Check(v)
}

func quoteConstraints(constraints []string) string {
	quoted := make([]string, len(constraints))
	for i, constraint := range constraints {
		quoted[i] = fmt.Sprintf("%q", constraint)
	}
	return strings.Join(quoted, " and ")
}
