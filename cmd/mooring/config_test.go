package main

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mooring-iac/mooring/cmd/mooring/serverconfig"
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
