package terraform

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
)

var (
	// ErrRemoteExecution says that the configuration runs Terraform somewhere else, where Mooring can neither hold the lock nor the plan.
	ErrRemoteExecution = errors.New("remote execution is not supported")
	// ErrOutside says that a path leaves the repository.
	ErrOutside = errors.New("path leaves the repository")
	// ErrInUse says that another session of the same workspace is open in this process.
	ErrInUse = errors.New("workspace is in use")
)

// Spec says what to run. All paths are repository paths (slash separated, "." is the root) unless said otherwise.
type Spec struct {
	Repository string // name of the repository in the server's configuration; state lives below data_dir/state/<repository>
	Key        string // unique name of the workspace in the repository, e.g. "infra/network:staging"
	Tree       string // checkout root on disk; never written to
	Dir        string // the root module
	// ModuleDirs are all local modules that the root module reaches, nested ones too. A module directory left out still works, but
	// abspath(path.module) in it is not stable.
	ModuleDirs []string
	Skip       func(path string) bool // entries of the tree that do not count (ignored files of a working copy); nil: all count
	// KeepGenerated leaves files in place that an earlier run of the same tree made in the module directories (an archive a plan
	// refers to). For applying a saved plan. Without it the module directories are exactly the tree's.
	KeepGenerated bool
	// Grace is what a command has from an interrupt to a kill, of a run in namespaces; 0 is the home's. For what changes nothing.
	Grace time.Duration

	Workspace string // Terraform workspace, "" is default
	VarFiles  []string
	// Variables of the configuration of Mooring; they win over VarFiles. They reach Terraform in a 0600 file, never on the command line.
	Variables map[string]Variable

	BackendType   string                     // "" when the configuration has no backend block
	BackendValues map[string]json.RawMessage // partial backend configuration, in a 0600 file too
	BackendFiles  []string                   // files of partial backend configuration
	// StatePath and WorkspaceDir are `path` and `workspace_dir` of a "local" backend as configured: relative to the root module or
	// absolute; "" is Terraform's default. Ignored for other backends.
	StatePath, WorkspaceDir string
	// RemoteStatePaths are the relative paths (relative to the root module) by which "local" terraform_remote_state finds the state of
	// others; a trailing slash says directory (its workspace_dir). Absolute ones need no care and are ignored.
	RemoteStatePaths []string

	// InitInputs is any stable encoding of what init depends on: backend block, required_providers, module sources and versions. The
	// committed lock file, backend values and files and the tool are added here.
	InitInputs []byte
	Env        map[string]string // environment of every command
	InitEnv    map[string]string // of init alone: registry tokens, Git credentials
	PlanEnv    map[string]string // of every command that changes nothing: init, plan, show, reading state
	ApplyEnv   map[string]string // of apply, state push and force-unlock alone
	Tool       Tool

	Looks      bool // it only plans, and cannot apply: its supervisor may go on to the next such run, see pool.go
	Processors int  // that commands may use at once, where Env does not say it; 0 is all

	Run        string   // the caller's name for this run, for a person who finds what is left of it
	OutputFile string   // what commands print for people is appended to it, without secrets, also when this process is gone; "" is a private file
	Secrets    []string // hidden in all that is printed, said and written down
	Files      []string // further files and directories that the configuration reads, for Session.Inputs
}

// Variable is one input variable's value.
type Variable struct {
	JSON      json.RawMessage
	Sensitive bool
}

// Output is one output value. Type is Terraform's JSON form of a type, e.g. "string" or ["list","string"].
type Output struct {
	JSON      json.RawMessage
	Type      json.RawMessage
	Sensitive bool
}

func (s Spec) check() error {
	switch {
	case s.Key == "" || s.Repository == "":
		return errors.New("a workspace needs a repository and a key")
	case s.Tree == "":
		return errors.New("a workspace needs a checkout")
	case s.Tool.Path == "":
		return errors.New("no tool given")
	case s.BackendType == "remote" || s.BackendType == "cloud":
		return fmt.Errorf("backend %q: %w: it runs Terraform on its own servers; use a backend that only stores state", s.BackendType, ErrRemoteExecution)
	case strings.ContainsAny(s.Workspace, "/\\\x00") || strings.HasPrefix(s.Workspace, "-") || s.Workspace == "." || s.Workspace == "..":
		return fmt.Errorf("workspace %q of Terraform: not a valid name", s.Workspace)
	}
	for _, name := range append(append([]string{s.Dir}, s.ModuleDirs...), append(s.VarFiles, s.BackendFiles...)...) {
		if clean, ok := inRepository(".", name); !ok || name == "" || clean != path.Clean(name) {
			return fmt.Errorf("%q: %w", name, ErrOutside)
		}
	}
	for name, value := range s.Variables {
		if !json.Valid(value.JSON) {
			return fmt.Errorf("variable %q: not valid JSON", name)
		}
	}
	for name, value := range s.BackendValues {
		if !json.Valid(value) {
			return fmt.Errorf("backend_config %q: not valid JSON", name)
		}
	}
	return s.checkEnv()
}

// checkEnv refuses what would change the meaning of a command behind the plan that a person reads.
func (s Spec) checkEnv() error {
	for _, env := range []map[string]string{s.Env, s.InitEnv, s.PlanEnv, s.ApplyEnv} {
		for name := range env {
			if name == "" || strings.ContainsAny(name, "=\x00") {
				return fmt.Errorf("environment variable %q: not a name", name)
			}
			if Owned(name) {
				return fmt.Errorf("environment variable %s is set by Mooring alone; use variables, var_files, backend_config or workspace", name)
			}
		}
	}
	return nil
}

// ownedEnv are the variables that a caller cannot set. TF_LOG* would put secrets into the output.
var ownedEnv = []string{
	"TF_VAR_*", "TF_CLI_ARGS*", "TF_WORKSPACE", "TF_DATA_DIR", "TF_INPUT", "TF_IN_AUTOMATION", "TF_LOG*", "TF_REATTACH_PROVIDERS",
	"TF_APPEND_USER_AGENT", "TF_PLUGIN_CACHE*", "TF_CLI_CONFIG_FILE", "TF_DISABLE_PLUGIN_TLS", "TF_SKIP_PROVIDER_VERIFY",
	"CHECKPOINT_DISABLE", "MOORING_*", "HOME", "TMPDIR", "LD_PRELOAD",
}

func (s Spec) localBackend() bool { return s.BackendType == "" || s.BackendType == "local" }

func (s Spec) workspaceName() string {
	if s.Workspace == "" {
		return "default"
	}
	return s.Workspace
}
