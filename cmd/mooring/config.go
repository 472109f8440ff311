package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/cmd/mooring/serverconfig"
	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/policies/preflight"
	"github.com/mooring-iac/mooring/runner"
	"github.com/mooring-iac/mooring/workspace"
)

// configPath is the file that -c names, else $MOORING_CONFIG, else ./server.hcl.
func (a *app) configPath() string {
	if a.config != "" {
		return a.config
	}
	if v, ok := a.env("MOORING_CONFIG"); ok && v != "" {
		return v
	}
	return "server.hcl"
}

// load reads the server's configuration. Its problems are printed; warnings only
// where the command is one that works with what they are about.
func (a *app) load(warnings bool) (*serverconfig.Config, error) {
	cfg, files, diags := serverconfig.Load(a.configPath(), a.env)
	var show hcl.Diagnostics
	for _, d := range diags {
		if d.Severity == hcl.DiagError || warnings && !a.quiet {
			show = append(show, d)
		}
	}
	if err := report.Diagnostics(a.stderr, show, files, a.style(a.stderr)); err != nil {
		return nil, err
	}
	if cfg != nil {
		a.hideSecrets(cfg)
	}
	if cfg == nil {
		return nil, fmt.Errorf("%w: %w", errShown, errors.Join(diags.Errs()...))
	}
	return cfg, nil
}

// options turns the configuration into the runner's options.
func (a *app) options(cfg *serverconfig.Config) runner.Options {
	o := runner.Options{
		DataDir:     cfg.DataDir,
		Parallel:    cfg.Parallel,
		Grace:       cfg.Grace,
		Version:     buildVersion(),
		Now:         a.now,
		Env:         cfg.Env,
		InitEnv:     cfg.InitEnv,
		Environ:     a.environ,
		ToolPath:    cfg.Terraform.Path,
		PlanEnv:     cfg.PlanEnv,
		ApplyEnv:    cfg.ApplyEnv,
		PlanValues:  cfg.PlanValues,
		ApplyValues: cfg.ApplyValues,
		CLIConfig:   cfg.CLIConfig,
		Sandbox:     runner.SandboxOptions{Mode: cfg.Sandbox.Mode, Read: cfg.Sandbox.Read, Write: cfg.Sandbox.Write},
		Timeouts:    runner.TimeoutOptions{Init: limit(cfg.Timeouts.Init), Plan: limit(cfg.Timeouts.Plan), Apply: cfg.Timeouts.Apply},
		MinFree:     cfg.MinFree,
		Keep:        runner.KeepOptions{Runs: cfg.Keep.Runs, Age: cfg.Keep.Age, Size: cfg.Keep.Size},
		KeyFile:     cfg.KeyFile,
		PublicURL:   cfg.PublicURL,
		Keys:        keyConfig(cfg.Sops),
		Charts:      runner.ChartOptions{Allow: cfg.Charts.Allow, Logins: cfg.Charts.Credentials},
		ReleasesURL: cfg.Terraform.ReleasesURL,
		ReleasesKey: cfg.Terraform.PublicKey,
		Notify:      cfg.Notify,
		Heartbeat:   runner.HeartbeatOptions{URL: cfg.Heartbeat.URL, Every: cfg.Heartbeat.Every},
	}
	for _, r := range cfg.Repositories {
		o.Repositories = append(o.Repositories, runner.RepositoryConfig{
			Name: r.Name, URL: r.URL, Branch: r.Branch,
			Username: r.Username, Token: r.Token, SSHKey: r.SSHKey, Passphrase: r.SSHKeyPassphrase, KnownHosts: r.KnownHosts, CABundle: r.CABundle,
			Poll: r.Poll, Apply: runner.ApplyMode(r.Apply), AutoApply: policies.Level(r.AutoApply), HoldDirect: r.DirectPush == "hold",
			Review:   reviewConfig(r),
			Policies: repositoryPolicies(r.Policy),
			Drift:    runner.DriftConfig{Every: r.Drift.Every, Remediate: workspace.Remediate(r.Drift.Remediate), Parallel: r.Drift.Parallel},
			Env:      r.Env, InitEnv: r.InitEnv, PlanEnv: r.PlanEnv, ApplyEnv: r.ApplyEnv, PlanValues: r.PlanValues, ApplyValues: r.ApplyValues,
		})
	}
	o.Drift = runner.DriftOptions{Parallel: cfg.Drift.Parallel, Stale: cfg.Drift.Stale}
	for _, c := range cfg.Credentials {
		o.Credentials = append(o.Credentials, runner.CredentialGroup(c))
	}
	o.Clusters = clusterConfigs(cfg)
	o.Pack, o.Teams = packConfig(cfg.Pack), map[string][]string{}
	for _, t := range cfg.Teams {
		o.Teams[t.Name] = t.Members
	}
	for _, p := range cfg.Policies {
		c := runner.PolicyConfig{Name: p.Name, Dir: p.Path, Namespaces: p.Namespaces, V0: p.V0, Required: p.Required, Repositories: p.Repositories}
		if p.Bundle != "" {
			c.Bundle = &runner.BundleConfig{URL: p.Bundle, Keys: p.PublicKeys, Algorithm: p.Algorithm, Scope: p.Scope, MaxAge: p.MaxAge, AllowOlder: p.AllowOlder, Token: p.Token, CABundle: p.CABundle}
		}
		o.Policies = append(o.Policies, c)
	}
	return o
}

func packConfig(p serverconfig.Pack) runner.PackConfig {
	c := runner.PackConfig{Enabled: p.Enabled, Repositories: p.Repositories, Settings: map[string]map[string]any{}}
	for _, r := range p.Rules {
		c.Settings[r.ID] = r.Settings
	}
	return c
}

func repositoryPolicies(p serverconfig.RepositoryPolicy) runner.RepositoryPolicies {
	return runner.RepositoryPolicies{
		Dir: p.Dir, Namespaces: p.Namespaces, V0: p.V0, Required: p.Required, SelfApproval: p.SelfApproval,
		Preflight: preflight.Rules{
			Mode: preflight.Mode(p.Preflight), Providers: p.Providers, Modules: p.Modules, Backends: p.Backends, DataSources: p.DataSources,
			Provisioners: p.Provisioners, RemoteStates: p.RemoteStates, Functions: p.Functions,
		},
	}
}

func clusterConfigs(cfg *serverconfig.Config) []runner.ClusterConfig {
	var all []runner.ClusterConfig
	for _, c := range cfg.Clusters {
		cluster := runner.ClusterConfig{
			Name: c.Name, Kubeconfig: c.Kubeconfig, Context: c.Context, InCluster: c.InCluster, Default: c.Default, AllowExec: c.AllowExec,
			Repositories: c.Repositories, RequireNamespace: c.RequireNamespace,
		}
		for _, r := range c.Allow {
			cluster.Allow = append(cluster.Allow, runner.Rule(r))
		}
		all = append(all, cluster)
	}
	return all
}

// reviewConfig says what of a repository is reviewed, where and by which rules.
func reviewConfig(r serverconfig.Repository) runner.ReviewConfig {
	c := runner.ReviewConfig{
		Branches: r.Reviews.Branches, Drafts: r.Reviews.Drafts, Labels: r.Reviews.Labels, NoForks: r.Reviews.Forks != "ask",
	}
	if r.Reviews.Merge != "never" {
		c.Merge = r.Reviews.Merge
	}
	for _, name := range r.Require {
		c.Require = append(c.Require, runner.Requirement(name))
	}
	if f := r.Forge; f != nil {
		c.Teams = runner.TeamConfig{Apply: f.Teams.Apply, Approve: f.Teams.Approve}
		c.Forge = &forge.Config{Kind: forge.Kind(f.Kind), URL: f.URL, Repository: f.Repository, Token: f.Token, CABundle: f.CABundle, UserAgent: "Mooring/" + buildVersion()}
		if f.App != nil {
			c.Forge.App = &forge.App{ID: f.App.ID, Installation: f.App.Installation, PrivateKey: f.App.PrivateKey}
		}
	}
	return c
}

// keyConfig says what opens encrypted manifests.
func keyConfig(s serverconfig.Sops) k8s.KeyConfig {
	return k8s.KeyConfig{AgeKeyFile: s.AgeKeyFile, KeyService: s.KeyService, Keys: s.Keys}
}

// limit says to the runner that the file asks for none: there 0 is the default.
func limit(t time.Duration) time.Duration {
	if t == 0 {
		return -1
	}
	return t
}
