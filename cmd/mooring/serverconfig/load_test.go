package serverconfig

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
)

func noEnv(string) (string, bool) { return "", false }

func vars(set map[string]string) Lookup {
	return func(name string) (string, bool) { v, ok := set[name]; return v, ok }
}

// noReviews are the defaults.
var noReviews = Reviews{Forks: "ask", Merge: "never"}

// noDrift is the default.
var noDrift = RepositoryDrift{Remediate: "pull_request"}

// printed is what a person would see of the diagnostics.
func printed(t *testing.T, files map[string]*hcl.File, diags hcl.Diagnostics) string {
	t.Helper()
	var b bytes.Buffer
	if err := hcl.NewDiagnosticTextWriter(&b, files, 0, false).WriteDiagnostics(diags); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLoadFillsInDefaults(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "server.hcl")
	write(t, path, "data_dir = \"data\"\nrepository \"infra\" {\n  url = \"../infra\"\n}\n", 0o600)
	got, files, diags := Load(path, noEnv)
	if len(diags) > 0 {
		t.Fatal(printed(t, files, diags))
	}
	want := &Config{
		Path: path, DataDir: filepath.Join(dir, "data"), Grace: 2 * time.Minute,
		Sandbox: Sandbox{Mode: "auto"}, Timeouts: Timeouts{Init: 15 * time.Minute, Plan: time.Hour}, MinFree: 64 << 20,
		Keep: Keep{Runs: 1000, Age: 90 * 24 * time.Hour, Size: 10 << 30}, Drift: Drift{Stale: 24 * time.Hour},
		Repositories: []Repository{{
			Name: "infra", URL: filepath.Join(filepath.Dir(dir), "infra"), Poll: 30 * time.Second,
			Apply: "after_merge", AutoApply: "no_destroy", DirectPush: "apply", SSHKey: []byte{}, Reviews: noReviews,
			Drift: noDrift,
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

func TestLoadReadsEverything(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"key": "PRIVATE\nKEY\n", "known_hosts": "h k\n", "kube": "x", "tfrc": "x", "mooring.key": "# age\nAGE-SECRET-KEY-1XYZ\n", "creds.json": "{\n}\n", "ca.pem": "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"} {
		write(t, filepath.Join(dir, name), text, 0o600)
	}
	for _, sub := range []string{"modules", "scratch"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "server.hcl")
	write(t, path, `
data_dir   = "/var/lib/mooring"
listen     = ":4141"
public_url = "https://mooring.example.com/"
parallel   = 4
grace      = "45s"
env        = ["AWS_*", "HTTPS_PROXY"]
init_env   = ["TF_TOKEN_*"]
plan_env   = ["PLAN_*"]
apply_env  = {
  AWS_ACCESS_KEY_ID = env("APPLY_KEY") # another one than plan's
  "CREDENTIALS"     : file("creds.json"), REGION = "eu-1"
  EMPTY             = ""
}
cli_config = "tfrc"
min_free   = 67108865
key_file   = "mooring.key"
sandbox {
  mode  = "required"
  read  = ["modules"]
  write = ["scratch"]
}
timeouts {
  init  = "10m"
  plan  = "0"
  apply = "2h"
}
keep {
  runs = 10
  age  = "7d"
  size = "1GB"
}
terraform {
  releases_url = "http://127.0.0.1:9"
}
repository "infra" {
  url                = "git@git.example.com:acme/infra.git"
  branch             = "main"
  poll               = "1m"
  apply              = "never"
  auto_apply         = "always"
  direct_push        = "hold"
  require            = ["approved", "policies"]
  username           = env("USER_NAME")
  ssh_key            = file("key")
  ssh_key_passphrase = env("PASS")
  known_hosts        = "known_hosts"
  env                = ["X"]
  plan_env           = { TOKEN = env("TOKEN") }
  apply_env          = ["APPLY_*"]
}
repository "https" {
  url       = "https://git.example.com/acme/infra.git"
  token     = env("TOKEN")
  ca_bundle = "ca.pem"
}
cluster "prod" {
  kubeconfig = "kube"
  context    = "prod"
  default    = true
  allow_exec = true
}
cluster "here" {
  in_cluster = true
}
`, 0o600)
	got, files, diags := Load(path, vars(map[string]string{"APPLY_KEY": "AKIA", "USER_NAME": "git", "PASS": "p", "TOKEN": "t0ken\n"}))
	if len(diags) > 0 {
		t.Fatal(printed(t, files, diags))
	}
	ca, _ := os.ReadFile(filepath.Join(dir, "ca.pem"))
	want := &Config{
		Path: path, DataDir: "/var/lib/mooring", Listen: "127.0.0.1:4141", PublicURL: "https://mooring.example.com", Parallel: 4, Grace: 45 * time.Second,
		Env: []string{"AWS_*", "HTTPS_PROXY"}, InitEnv: []string{"TF_TOKEN_*"}, PlanEnv: []string{"PLAN_*"},
		ApplyValues: map[string]string{"AWS_ACCESS_KEY_ID": "AKIA", "CREDENTIALS": "{\n}", "REGION": "eu-1", "EMPTY": ""}, MinFree: 67108865, KeyFile: filepath.Join(dir, "mooring.key"),
		Sandbox:  Sandbox{Mode: "required", Read: []string{filepath.Join(dir, "modules")}, Write: []string{filepath.Join(dir, "scratch")}},
		Timeouts: Timeouts{Init: 10 * time.Minute, Apply: 2 * time.Hour}, Keep: Keep{Runs: 10, Age: 7 * 24 * time.Hour, Size: 1e9},
		CLIConfig: filepath.Join(dir, "tfrc"), Drift: Drift{Stale: 24 * time.Hour},
		Terraform: Terraform{ReleasesURL: "http://127.0.0.1:9"},
		Repositories: []Repository{
			{
				Name: "infra", URL: "git@git.example.com:acme/infra.git", Branch: "main", Poll: time.Minute, Apply: "never", AutoApply: "always", DirectPush: "hold",
				Require: []string{"approved", "policies"}, Username: "git", SSHKey: []byte("PRIVATE\nKEY\n"), SSHKeyPassphrase: "p",
				Reviews: noReviews, Drift: noDrift, KnownHosts: filepath.Join(dir, "known_hosts"), Env: []string{"X"},
				PlanValues: map[string]string{"TOKEN": "t0ken"}, ApplyEnv: []string{"APPLY_*"},
			},
			{
				Name: "https", URL: "https://git.example.com/acme/infra.git", Poll: DefaultPoll, Apply: "after_merge", AutoApply: "no_destroy", DirectPush: "apply",
				Token: "t0ken", SSHKey: []byte{}, CABundle: ca, Reviews: noReviews, Drift: noDrift,
			},
		},
		Clusters: []Cluster{{Name: "prod", Kubeconfig: filepath.Join(dir, "kube"), Context: "prod", Default: true, AllowExec: true}, {Name: "here", InCluster: true}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

// Each source is a whole file; want are "line: summary" of every diagnostic.
type mistake struct {
	name, src string
	want      []string
	says      string // part of what is printed
}

var mistakes = []mistake{
	{"unknown argument", "data_dir = \"d\"\npubic_url = \"http://x\"", []string{"2: Unsupported argument"}, `Did you mean "public_url"?`},
	{"unknown block", "data_dir = \"d\"\nrepositry \"x\" {}", []string{"2: Unsupported block type"}, `Did you mean "repository"?`},
	{"unknown in a repository", "data_dir = \"d\"\nrepository \"a\" {\n  url = \"u\"\n  brunch = \"x\"\n}", []string{"4: Unsupported argument"}, `Did you mean "branch"?`},
	{"no data_dir", "listen = \"127.0.0.1:1\"", []string{"1: Missing required argument"}, "data_dir"},
	{"no url", "data_dir = \"d\"\nrepository \"a\" {}", []string{"2: Missing required argument"}, `"url" is required`},
	{"several at once", "parallel = 0\ngrace = \"soon\"\nenv = \"X\"\nrepository \"a\" { url = \"u\" }", []string{"1: Missing required argument", "1: Out of range", "2: Not a duration", "3: Wrong type"}, "list of strings"},
	{"syntax error and another", "data_dir = \"d\"\nlisten = \nbogus = 1", []string{"2: Invalid expression", "3: Unsupported argument"}, "server.hcl line 2"},
	{"wrong types", "data_dir = [\"d\"]\nparallel = \"many\"\nrepository \"a\" {\n url = {}\n}", []string{"1: Wrong type", "2: Wrong type", "4: Wrong type"}, "parallel must be a number"},
	{"bad durations", "data_dir = \"d\"\ngrace = \"-1s\"\nrepository \"a\" {\n url = \"u\"\n poll = \"30\"\n}", []string{"2: Too short", "5: Not a duration"}, `"30s"`},
	{"unknown word", "data_dir = \"d\"\nrepository \"a\" {\n url = \"u\"\n auto_apply = \"no_destory\"\n}", []string{"4: Unknown value"}, `did you mean "no_destroy"?`},
	{"duplicate repository", "data_dir = \"d\"\nrepository \"a\" { url = \"u\" }\nrepository \"a\" { url = \"v\" }", []string{"3: Duplicate repository"}, "server.hcl:2"},
	{"bad name", "data_dir = \"d\"\nrepository \"../a\" { url = \"u\" }", []string{"2: Invalid name"}, "letters"},
	{"two defaults", "data_dir = \"d\"\ncluster \"a\" {\n in_cluster = true\n default = true\n}\ncluster \"b\" {\n in_cluster = true\n default = true\n}", []string{"6: Two default clusters"}, `"a" is the default`},
	{"cluster without address", "data_dir = \"d\"\ncluster \"a\" {}", []string{"2: Cluster without an address"}, "KUBECONFIG is never read"},
	{"cluster with two addresses", "data_dir = \"d\"\ncluster \"a\" {\n in_cluster = true\n kubeconfig = \"/dev/null\"\n}", []string{"4: Cluster with two addresses"}, ""},
	{"two forges", "data_dir = \"d\"\nrepository \"a\" {\n url = \"https://h/a/b\"\n forge \"gitea\" { token = env(\"CANARY\") }\n forge \"gitea\" {}\n}", []string{"5: Two forges"}, ""},
	{"unknown forge", "data_dir = \"d\"\nrepository \"a\" {\n url = \"u\"\n forge \"gitee\" {}\n}", []string{"4: Unknown value"}, `did you mean "gitea"?`},
	{"before_merge without a forge", "data_dir = \"d\"\nrepository \"a\" {\n url = \"u\"\n apply = \"before_merge\"\n}", []string{"4: Nobody can ask for an apply"}, ""},
	{"password in the URL", "data_dir = \"d\"\nrepository \"a\" {\n url = \"https://bot:canary@h/x\"\n}", []string{"3: Password in a URL"}, `https://bot:******@h/x`},
	{"unknown scheme", "data_dir = \"d\"\nrepository \"a\" {\n url = \"ext::sh -c x\"\n}\nrepository \"b\" {\n url = \"ftp://h/x\"\n}", []string{"3: Not a Git URL", "6: Unknown value"}, "ssh"},
	{"secret written out", "data_dir = \"d\"\nrepository \"a\" {\n url = \"https://h/x\"\n token = \"canary\"\n}", []string{"4: Secret in the file"}, `env("NAME")`},
	{"misspelt secret", "data_dir = \"d\"\nrepository \"a\" {\n url = \"https://h/x\"\n tokn = \"canary\"\n}", []string{"4: Unsupported argument"}, `Did you mean "token"?`},
	{"secret with a syntax error", "data_dir = \"d\"\nrepository \"a\" {\n url = \"https://h/x\"\n token = \"canary\n}", []string{"4: Invalid multi-line string", "4: Unterminated template string"}, "token = "},
	{"secret without quotes", "data_dir = \"d\"\nrepository \"a\" {\n url = \"https://h/x\"\n token = canary\n}", []string{"4: Secret in the file"}, ""},
	{"secret in a function", "data_dir = \"d\"\nrepository \"a\" {\n url = \"https://h/x\"\n token = upper(env(\"CANARY\"))\n}", []string{"4: Secret in the file"}, ""},
	{"secret names a variable", "data_dir = \"d\"\nrepository \"a\" {\n url = \"https://h/x\"\n token = env(env(\"CANARY\"))\n}", []string{"4: Wrong argument"}, ""},
	{"env where no secret belongs", "data_dir = env(\"CANARY\")", []string{"1: Not a secret"}, "Write data_dir out"},
	{"unset variable", "data_dir = \"d\"\nrepository \"a\" {\n url = \"https://h/x\"\n token = env(\"GITEA_TOKEN\")\n}", []string{"4: Environment variable is not set"}, "$GITEA_TOKEN"},
	{"missing secret file", "data_dir = \"d\"\nrepository \"a\" {\n url = \"git@h:x\"\n ssh_key = file(\"nope\")\n}", []string{"4: Cannot read a secret"}, "no such file"},
	{"a name that is no variable's", "data_dir = \"d\"\nenv = [\"*\"]", []string{"2: Not a variable's name"}, "AWS_*"},
	{"token over http", "data_dir = \"d\"\nrepository \"a\" {\n url = \"http://h/x\"\n token = env(\"CANARY\")\n}", []string{"3: The token travels unencrypted"}, ""},
	{"ssh key for https", "data_dir = \"d\"\nrepository \"a\" {\n url = \"https://h/x\"\n ssh_key_passphrase = env(\"CANARY\")\n}", []string{"4: Not used"}, ""},
	{"ssh without a key", "data_dir = \"d\"\nrepository \"a\" {\n url = \"git@h:x\"\n}", []string{"3: No key for ssh"}, "ssh_key"},
	{"listen", "data_dir = \"d\"\nlisten = \"4141\"", []string{"2: Not an address"}, "host:port"},
	{"public_url", "data_dir = \"d\"\npublic_url = \"mooring.example.com\"", []string{"2: Not a URL"}, ""},
	{"branch", "data_dir = \"d\"\nrepository \"a\" {\n url = \"u\"\n branch = \"a..b\"\n}", []string{"4: Not a branch"}, ""},
	{"two terraform blocks", "data_dir = \"d\"\nterraform {}\nterraform {}", []string{"3: Duplicate terraform block"}, ""},
}

func TestMistakesAreSaidAllAtOnce(t *testing.T) {
	checkMistakesOf(t, vars(map[string]string{"CANARY": "canary"}), mistakes)
}

// checkMistakes is for sources that say what comes after data_dir, on line 1.
func checkMistakes(t *testing.T, env Lookup, all []mistake) {
	t.Helper()
	for i := range all {
		all[i].src = "data_dir = \"d\"\n" + all[i].src
	}
	checkMistakesOf(t, env, all)
}

func checkMistakesOf(t *testing.T, env Lookup, all []mistake) {
	t.Helper()
	for _, m := range all {
		t.Run(m.name, func(t *testing.T) {
			config, files, diags := Parse("server.hcl", []byte(m.src), env)
			var got []string
			for _, d := range diags {
				got = append(got, fmt.Sprintf("%d: %s", d.Subject.Start.Line, d.Summary))
			}
			if diff := cmp.Diff(m.want, got); diff != "" {
				t.Errorf("diagnostics (-want +got):\n%s", diff)
			}
			if (config == nil) != diags.HasErrors() {
				t.Errorf("config is %v while HasErrors is %v", config, diags.HasErrors())
			}
			out := printed(t, files, diags)
			if !strings.Contains(out, m.says) {
				t.Errorf("%q is missing in:\n%s", m.says, out)
			}
			if strings.Contains(out, "canary") {
				t.Errorf("a secret is shown:\n%s", out)
			}
		})
	}
}

func TestLoadSaysWhatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "none.hcl")} {
		c, files, diags := Load(path, noEnv)
		if c != nil || !diags.HasErrors() || !strings.Contains(printed(t, files, diags), path) {
			t.Errorf("Load(%s) = %v, %v", path, c, diags)
		}
	}
}

func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "token"), "s3cret\n", 0o644)
	write(t, filepath.Join(dir, "empty"), "\n", 0o600)
	src := func(file string) []byte {
		return fmt.Appendf(nil, "data_dir = \"d\"\nrepository \"a\" {\n url = \"https://h/x\"\n token = file(%q)\n}", file)
	}
	c, files, diags := Parse(filepath.Join(dir, "server.hcl"), src("token"), noEnv)
	if c == nil || c.Repositories[0].Token != "s3cret" {
		t.Fatalf("token was not read: %s", printed(t, files, diags))
	}
	if out := printed(t, files, diags); !strings.Contains(out, "chmod 600") || strings.Contains(out, "s3cret") {
		t.Errorf("a world-readable secret is said so:\n%s", out)
	}
	if c, _, diags := Parse(filepath.Join(dir, "server.hcl"), src("empty"), noEnv); c != nil || !strings.Contains(diags.Error(), "empty") {
		t.Errorf("an empty secret: %v, %v", c, diags)
	}
}

func TestDataDir(t *testing.T) {
	root := t.TempDir()
	fresh := filepath.Join(root, "a", "b")
	if err := CheckDataDir(fresh); err != nil {
		t.Errorf("an absent directory is fine to look at: %v", err)
	}
	if err := PrepareDataDir(fresh); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(fresh); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("made with %v, %v", info.Mode(), err)
	}
	open := filepath.Join(root, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o720, 0o702, 0o777} {
		if err := os.Chmod(open, mode); err != nil {
			t.Fatal(err)
		}
		if err := PrepareDataDir(open); err == nil || !strings.Contains(err.Error(), "chmod 700") {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	file := filepath.Join(root, "file")
	write(t, file, "", 0o600)
	if err := PrepareDataDir(file); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("a file: %v", err)
	}
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
