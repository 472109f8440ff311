package main

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mooring-iac/mooring/cmd/mooring/serverconfig"
	"github.com/mooring-iac/mooring/policies/preflight"
	"github.com/mooring-iac/mooring/runner"
)

// What the file says of credentials and limits reaches the runner, each in its place.
func TestOptionsCarryWhatTheFileSays(t *testing.T) {
	const src = `
data_dir  = "/var/lib/mooring"
env       = ["E"]
init_env  = ["I"]
plan_env  = ["P"]
apply_env = { A = "server's" }
min_free  = "1GiB"
sandbox {
  mode  = "required"
  read  = ["/etc"]
  write = ["/usr"]
}
timeouts {
  plan = "0"
}
keep {
  runs = 7
  age  = "2d"
  size = "3GiB"
}
repository "infra" {
  url       = "/srv/infra"
  env       = ["RE"]
  init_env  = ["RI"]
  plan_env  = { RP = "its own" }
  apply_env = ["RA"]
}
`
	cfg, _, diags := serverconfig.Parse("/etc/mooring/server.hcl", []byte(src), func(string) (string, bool) { return "", false })
	if cfg == nil {
		t.Fatal(diags)
	}
	got := (&app{}).options(cfg)
	want := runner.Options{
		Env: []string{"E"}, InitEnv: []string{"I"}, PlanEnv: []string{"P"}, ApplyValues: map[string]string{"A": "server's"},
		MinFree: 1 << 30, Sandbox: runner.SandboxOptions{Mode: "required", Read: []string{"/etc"}, Write: []string{"/usr"}},
		Timeouts: runner.TimeoutOptions{Init: 15 * time.Minute, Plan: -1}, // below 0 is no limit, for apply 0 is
		Keep:     runner.KeepOptions{Runs: 7, Age: 48 * time.Hour, Size: 3 << 30},
		Repositories: []runner.RepositoryConfig{{
			Env: []string{"RE"}, InitEnv: []string{"RI"}, PlanValues: map[string]string{"RP": "its own"}, ApplyEnv: []string{"RA"},
		}},
	}
	for _, name := range []string{"Env", "InitEnv", "PlanEnv", "ApplyEnv", "PlanValues", "ApplyValues", "MinFree", "Sandbox", "Timeouts", "Keep", "KeyFile"} {
		if diff := cmp.Diff(field(want, name), field(got, name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, name := range []string{"Env", "InitEnv", "PlanEnv", "ApplyEnv", "PlanValues", "ApplyValues"} {
		if diff := cmp.Diff(field(want.Repositories[0], name), field(got.Repositories[0], name)); diff != "" {
			t.Errorf("%s of a repository (-want +got):\n%s", name, diff)
		}
	}
}

func field(of any, name string) any { return reflect.ValueOf(of).FieldByName(name).Interface() }

// So does what it says of drift scans.
func TestOptionsCarryDrift(t *testing.T) {
	const src = `
data_dir = "/var/lib/mooring"
drift {
  parallel = 3
  stale    = "2d"
}
credentials "prod" {
  units = ["prod/**"]
}
repository "infra" {
  url = "/srv/infra"
  drift {
    every     = "12h"
    remediate = "apply"
    parallel  = 2
  }
}
`
	cfg, _, diags := serverconfig.Parse("/etc/mooring/server.hcl", []byte(src), func(string) (string, bool) { return "", false })
	if cfg == nil {
		t.Fatal(diags)
	}
	got := (&app{}).options(cfg)
	if diff := cmp.Diff(runner.DriftOptions{Parallel: 3, Stale: 48 * time.Hour}, got.Drift); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]runner.CredentialGroup{{Name: "prod", Units: []string{"prod/**"}, Parallel: 1}}, got.Credentials); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(runner.DriftConfig{Every: 12 * time.Hour, Remediate: "apply", Parallel: 2}, got.Repositories[0].Drift); diff != "" {
		t.Error(diff)
	}
}

// So does what it says of policies.
func TestOptionsCarryPolicies(t *testing.T) {
	const src = `
data_dir = "/var/lib/mooring"
policy "org" {
  path         = "/etc"
  rego         = "v0"
  required     = true
  repositories = ["infra"]
}
pack {
  rule "terraform.stateful" {
    effect   = "deny"
    settings = { approvals = 2 }
  }
}
team "dba" {
  members = ["ann"]
}
repository "infra" {
  url = "/srv/infra"
  policy {
    dir       = "ci/policy"
    preflight = "deny"
    providers = []
    modules   = ["m"]
  }
}
`
	cfg, _, diags := serverconfig.Parse("/etc/mooring/server.hcl", []byte(src), func(string) (string, bool) { return "", false })
	if cfg == nil {
		t.Fatal(diags)
	}
	got := (&app{}).options(cfg)
	for name, want := range map[string]any{
		"Policies": []runner.PolicyConfig{{Name: "org", Dir: "/etc", V0: true, Required: true, Repositories: []string{"infra"}}},
		"Pack":     runner.PackConfig{Enabled: true, Settings: map[string]map[string]any{"terraform.stateful": {"effect": "deny", "approvals": 2.0}}},
		"Teams":    map[string][]string{"dba": {"ann"}},
	} {
		if diff := cmp.Diff(want, field(got, name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	want := runner.RepositoryPolicies{Dir: "ci/policy", Preflight: preflight.Rules{Mode: preflight.Denies, Providers: []string{}, Modules: []string{"m"}}}
	if diff := cmp.Diff(want, got.Repositories[0].Policies); diff != "" {
		t.Errorf("policies of a repository (-want +got):\n%s", diff)
	}
}
