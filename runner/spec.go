package runner

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mooring-iac/mooring/internal/terraform"
	"github.com/mooring-iac/mooring/internal/terraform/redact"
	"github.com/mooring-iac/mooring/workspace"
)

// upstreamOutputs answers what a unit may refer to of another one, in clear;
// false where nothing is known of it.
type upstreamOutputs = func(unit string) (map[string]workspace.Output, bool)

// errNotKnown is wrapped where a unit needs an output that no apply has made yet.
var errNotKnown = errors.New("its value is known only after apply")

// spec says to Terraform what the repository and the server's configuration say
// of a workspace.
func (x *execution) spec(ctx context.Context, t task, tree string) (terraform.Spec, error) {
	variables, err := variablesOf(t.unit, x.upstreamOutputs)
	if err != nil {
		return terraform.Spec{}, err
	}
	return x.specWith(ctx, t, tree, variables)
}

func (x *execution) specWith(ctx context.Context, t task, tree string, variables map[string]terraform.Variable) (terraform.Spec, error) {
	cfg, opts := x.repo.cfg, x.r.opts
	spec, err := makeSpec(ctx, x.r.tools, t.unit, variables, opts.environments(cfg))
	if err != nil {
		return terraform.Spec{}, err
	}
	spec.Repository, spec.Tree, spec.Run = cfg.Name, tree, x.run.ID
	if spec.OutputFile, err = x.r.logFile(x.run.ID, t.unit.ID); err != nil {
		return terraform.Spec{}, err
	}
	spec.Secrets = append(spec.Secrets, x.r.secretsOf(x.recall(t.unit.ID))...)
	spec.Secrets = append(spec.Secrets, x.r.serverSecrets()...)
	spec.KeepGenerated = t.approved // a saved plan may refer to what its making left in the view
	return spec, nil
}

// variablesOf are the variables that Mooring hands over to a workspace. It wraps errNotKnown where one is to come.
func variablesOf(u *workspace.Unit, outs upstreamOutputs) (map[string]terraform.Variable, error) {
	inputs, err := u.Inputs(outs)
	if err != nil {
		return nil, err
	}
	variables := make(map[string]terraform.Variable, len(inputs))
	for name, v := range inputs {
		if v.Unknown {
			return nil, fmt.Errorf("variable %s: %w", name, errNotKnown)
		}
		variables[name] = terraform.Variable{JSON: v.JSON, Sensitive: v.Sensitive}
	}
	return variables, nil
}

func makeSpec(ctx context.Context, tools *terraform.Tools, u *workspace.Unit, variables map[string]terraform.Variable, env environments) (terraform.Spec, error) {
	spec, err := specWithoutVariables(ctx, tools, u, env)
	spec.Variables = variables
	hide := redact.New()
	for _, v := range variables {
		if v.Sensitive {
			hide.AddJSON(v.JSON)
		}
	}
	for _, raw := range u.Module.SensitiveValues {
		hide.AddJSON(raw)
	}
	spec.Secrets = append(spec.Secrets, hide.Secrets()...)
	return spec, err
}

// specWithoutVariables is enough to read a state.
func specWithoutVariables(ctx context.Context, tools *terraform.Tools, u *workspace.Unit, env environments) (terraform.Spec, error) {
	tool, err := tools.Find(ctx, u.Module.Tool, u.Module.RequiredVersion)
	if err != nil {
		return terraform.Spec{}, fmt.Errorf("%s: %w", cmp.Or(strings.Join(u.Module.RequiredAt, ", "), u.Dir), err)
	}
	spec := terraform.Spec{
		Key:        workspaceKey(u),
		Dir:        u.Dir,
		ModuleDirs: u.Module.ModuleDirs,
		Workspace:  u.Workspace,
		VarFiles:   u.VarFiles,
		InitInputs: u.Module.InitInputs,
		Env:        env.all,
		InitEnv:    env.init,
		PlanEnv:    env.plan,
		ApplyEnv:   env.apply,
		Tool:       tool,
		Files:      u.Module.Files(),
		Secrets:    env.secrets(),
	}
	setBackend(&spec, u)
	return spec, nil
}

// workspaceKey names a workspace in its repository, whatever its unit is called:
// one root module may be several by its backend configuration alone.
func workspaceKey(u *workspace.Unit) string {
	return keyOf(u.Dir, u.Workspace, backendDigest(u))
}

// backendDigest stands for a unit's partial backend configuration in keys, which rest
// in the database and name directories: a setting may be a password. "" where it has none.
func backendDigest(u *workspace.Unit) string {
	settings := u.BackendConfig()
	if len(settings) == 0 {
		return ""
	}
	sum := sha256.New()
	for _, setting := range settings {
		fmt.Fprintf(sum, "%d:%s;", len(setting), setting)
	}
	return hex.EncodeToString(sum.Sum(nil))[:24]
}

func keyOf(dir, workspace, backend string) string {
	key := keyPart.Replace(dir)
	if workspace != "default" {
		key += ":" + keyPart.Replace(workspace)
	}
	if backend != "" {
		key += " " + backend
	}
	return key
}

// keyPart keeps the parts of a key apart: two workspaces never have one key.
var keyPart = strings.NewReplacer("%", "%25", ":", "%3A", " ", "%20")

// setBackend says where the state is: the backend block, what completes it, and
// the state files of others that are found by a path in the repository.
func setBackend(spec *terraform.Spec, u *workspace.Unit) {
	backend := u.Module.Backend
	if backend.Declared {
		spec.BackendType = backend.Type
	}
	if backend.Type == "local" {
		spec.StatePath, spec.WorkspaceDir = backend.Get("path"), backend.Get("workspace_dir")
	}
	for _, setting := range u.BackendConfig() {
		name, value, isValue := strings.Cut(setting, "=")
		if !isValue {
			spec.BackendFiles = append(spec.BackendFiles, setting)
			continue
		}
		if spec.BackendValues == nil {
			spec.BackendValues = map[string]json.RawMessage{}
		}
		quoted, _ := json.Marshal(value) // a string always marshals
		spec.BackendValues[name] = quoted
	}
	spec.RemoteStatePaths = append(spec.RemoteStatePaths, u.Module.OutsideStatePaths...)
	for _, path := range u.Module.LocalStatePaths {
		// The paths are the repository's; Terraform's are relative to the root module.
		if rel, err := filepath.Rel(filepath.FromSlash(u.Dir), filepath.FromSlash(path)); err == nil {
			spec.RemoteStatePaths = append(spec.RemoteStatePaths, filepath.ToSlash(rel))
		}
	}
}
