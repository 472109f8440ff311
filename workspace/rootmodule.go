package workspace

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// RootModule is what the files of a workspace say, as far as a runner needs it.
// It is shared between scans and must not be changed.
type RootModule struct {
	// RequiredVersion holds the constraints of the root and of every local module, each once, sorted.
	RequiredVersion []string
	RequiredAt      []string // where they stand: file:line, each once, sorted
	Tool            string   // "terraform" or "tofu"
	Backend         Backend
	// ModuleDirs are the root's own real directory and those of the local modules it
	// reaches, sorted; a module that is called and is not there is among them.
	ModuleDirs  []string
	HasLockFile bool
	// InitInputs is a digest (32 bytes) of everything that init depends on: tool,
	// backend and its configuration, providers, lock file, module calls.
	InitInputs []byte
	// LocalStatePaths are the repository paths of state files that would lie in the
	// tree: the workspace's own, and those a terraform_remote_state reads by relative path.
	LocalStatePaths []string
	// OutsideStatePaths are the absolute paths of state files that a terraform_remote_state
	// of backend "local" reads, sorted.
	OutsideStatePaths []string
	// SensitiveVariables are the root's variables declared sensitive, sorted.
	SensitiveVariables []string
	// SensitiveValues are the values that the repository's files give them, as JSON.
	SensitiveValues []json.RawMessage
	// Providers are the sources of the providers that root and local modules require, sorted.
	Providers []string
	// Outputs are the root's outputs, sorted.
	Outputs []string

	state    stateID
	files    []string  // files outside ModuleDirs whose change is a change of this root
	trees    []treeRef // and whole directories
	reads    []stateRead
	warnings []Warning
	err      error
	checks   rootChecks
}

// Files are files and directories of the repository outside ModuleDirs whose change is
// a change of this root, sorted.
func (m *RootModule) Files() []string {
	all := slices.Clone(m.files)
	for _, t := range m.trees {
		all = append(all, t.base)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// treeRef is every file below base that the pattern matches ("" or "**": all of them).
type treeRef struct{ base, glob string }

// stateRead is one state that a terraform_remote_state reads.
type stateRead struct {
	id   stateID
	name string // of the data source
	file string
	line int
}

// rootChecks is what the analysis saw; when it still holds, so does the result.
type rootChecks struct {
	modules []moduleCheck
	paths   []pathCheck
}

type moduleCheck struct {
	dir    string
	module *moduleFacts // nil: no Terraform files there
}

type pathCheck struct {
	path   string
	id     fileID // of a file whose content counted
	exists bool
	dir    bool
}

// rootSpec is what is known of a workspace before its files are read.
type rootSpec struct {
	dir, workspace, tool string
	varFiles             []string
	backendConfig        []Setting
	backendFiles         []string
	variables            map[string]cty.Value // DynamicVal where the value comes from an output
}

// key is equal for specs that lead to equal results on equal files.
func (sp *rootSpec) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\x00%s\x00%s\x00%q\x00%q\x00%q", sp.dir, sp.workspace, sp.tool, sp.varFiles, sp.backendConfig, sp.backendFiles)
	for _, name := range slices.Sorted(maps.Keys(sp.variables)) {
		fmt.Fprintf(&b, "\x00%s=%#v", name, sp.variables[name])
	}
	return b.String()
}

// RefusedError says that Mooring does not run a workspace, and why.
type RefusedError struct {
	Dir, Reason string
	File        string
	Line        int
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s:%d: %s: %s", e.File, e.Line, e.Dir, e.Reason)
}
