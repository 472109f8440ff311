package runner

import (
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/mooring-iac/mooring/internal/notify"
	"github.com/mooring-iac/mooring/internal/terraform/redact"
	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/policies"
)

// Options is what the operator's configuration says. Only DataDir is required.
type Options struct {
	DataDir  string        // made with 0700 when absent
	Parallel int           // units at once, over all repositories; 0 is the number of processors, at least 2
	Grace    time.Duration // how long applies may go on after a shutdown began; 0 is two minutes
	Version  string        // Mooring's own, for user agents

	Now     func() time.Time // nil is time.Now
	Log     *slog.Logger     // nil discards
	Observe func(Event)      // nil is nobody; called from many goroutines, must not block

	// Terraform may see these names of the server's environment; a name may end
	// in * for a prefix. InitEnv reaches init alone: tokens of private registries
	// and Git credentials for module sources.
	Env, InitEnv []string
	// PlanEnv reaches everything but apply (init, plan, show, state pull, output),
	// ApplyEnv reaches apply, force-unlock and state push alone: names as in Env.
	// The values are variables that are set besides; they win over what is passed on.
	PlanEnv, ApplyEnv       []string
	PlanValues, ApplyValues map[string]string
	Environ                 []string // the server's environment as KEY=value; nil is none

	ToolPath    string // a Terraform to use before those on PATH; "" is none
	CLIConfig   string // a Terraform CLI configuration file; "" is an empty one of our own
	ReleasesURL string // where Terraform is installed from; "" is HashiCorp's server
	ReleasesKey string // armored public key of that server; "" is HashiCorp's

	Sandbox  SandboxOptions
	Timeouts TimeoutOptions
	MinFree  uint64 // bytes that the disk must have left before an apply; 0 is 64 MiB
	Keep     KeepOptions
	KeyFile  string // an age identity file; "" is mooring.key in DataDir, made when absent

	PublicURL string // what links to Mooring's own pages begin with; "" makes none

	Keys   k8s.KeyConfig // what opens encrypted manifests
	Charts ChartOptions

	Policies []PolicyConfig
	Pack     PackConfig
	Teams    map[string][]string // the logins that the operator puts into a group, beside the teams of forges

	Drift       DriftOptions
	Credentials []CredentialGroup // a unit is in the first that holds it
	Heartbeat   HeartbeatOptions
	Notify      notify.Config // who is told of what

	Repositories []RepositoryConfig
	Clusters     []ClusterConfig
}

// KeepOptions bound what the data directory keeps of the past. The zero value is
// the defaults. State, the database and what waits for a person are never bound.
type KeepOptions struct {
	Runs int           // ended runs in the history; 0 is 1000
	Age  time.Duration // how long an ended run, and what nothing uses, is kept; 0 is 90 days
	Size uint64        // bytes of logs, plans, checkouts, Terraform's directories and provider packages; 0 is 10 GiB
}

// SandboxOptions say how Terraform is kept apart from the rest of the machine.
type SandboxOptions struct {
	Mode        string   // "auto", "required" or "off"; "" is auto
	Read, Write []string // absolute paths that Terraform sees besides its own
}

// TimeoutOptions are how long one Terraform command may take. Below 0 there is no limit.
type TimeoutOptions struct {
	Init  time.Duration // 0 is 15 minutes
	Plan  time.Duration // 0 is an hour
	Apply time.Duration // 0 is no limit
}

// ApplyMode says when a repository's plans are applied.
type ApplyMode string

// The modes. The zero value applies nothing.
const (
	AfterMerge  ApplyMode = "after_merge"
	BeforeMerge ApplyMode = "before_merge"
	ApplyNever  ApplyMode = "never"
)

// applies tells whether the pull loop may change anything in the mode. Before the
// merge it is the pull request that applies, not the loop.
func (m ApplyMode) applies() bool { return m == AfterMerge }

// RepositoryConfig is one repository that is watched.
type RepositoryConfig struct {
	Name       string
	URL        string
	Branch     string // "" is the remote's HEAD
	Username   string
	Token      string
	SSHKey     []byte
	Passphrase string
	KnownHosts string
	CABundle   []byte

	Poll       time.Duration // 0 is 30 s
	Apply      ApplyMode
	AutoApply  policies.Level // the ceiling for mooring.hcl
	HoldDirect bool           // direct_push = "hold": every change that reaches the branch waits
	Env        []string       // added to the server's
	InitEnv    []string

	Review   ReviewConfig
	Policies RepositoryPolicies
	Drift    DriftConfig

	PlanEnv, ApplyEnv       []string          // added to the server's
	PlanValues, ApplyValues map[string]string // added to the server's; these win
}

// ClusterConfig is one Kubernetes cluster that manifest sets may name.
type ClusterConfig struct {
	Name       string
	Kubeconfig string // path
	Context    string
	InCluster  bool
	Default    bool
	AllowExec  bool // exec plugins of the kubeconfig may run

	Repositories     []string // that may use it; none means all
	RequireNamespace bool     // nothing goes to the namespace "default" only because nobody named one
	Allow            []Rule   // what sets may do, the first that covers one; none restricts nothing
}

func (o *Options) setDefaults() error {
	if o.DataDir == "" {
		return fmt.Errorf("no data directory is set: data_dir in the server's configuration")
	}
	abs, err := filepath.Abs(o.DataDir)
	if err != nil {
		return fmt.Errorf("data_dir %s: %w", o.DataDir, err)
	}
	o.DataDir = abs
	if o.Parallel <= 0 {
		o.Parallel = max(2, runtime.NumCPU())
	}
	if o.Grace <= 0 {
		o.Grace = 2 * time.Minute
	}
	for _, limit := range []struct {
		of    *time.Duration
		plain time.Duration
	}{{&o.Timeouts.Init, 15 * time.Minute}, {&o.Timeouts.Plan, time.Hour}, {&o.Timeouts.Apply, 0}} {
		if *limit.of == 0 {
			*limit.of = limit.plain
		}
		*limit.of = max(*limit.of, 0)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Keep.Runs <= 0 {
		o.Keep.Runs = 1000
	}
	if o.Keep.Age <= 0 {
		o.Keep.Age = 90 * 24 * time.Hour
	}
	if o.Keep.Size == 0 {
		o.Keep.Size = 10 << 30
	}
	if o.Drift.Parallel <= 0 {
		o.Drift.Parallel = max(1, o.Parallel/2)
	}
	if o.Drift.Stale <= 0 {
		o.Drift.Stale = 24 * time.Hour
	}
	if o.Heartbeat.Every <= 0 {
		o.Heartbeat.Every = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(Event) {}
	}
	for i := range o.Repositories {
		if o.Repositories[i].Poll <= 0 {
			o.Repositories[i].Poll = 30 * time.Second
		}
	}
	return nil
}

// environment returns the variables of environ that the patterns name.
func environment(environ, patterns []string) map[string]string {
	env := map[string]string{}
	for _, kv := range environ {
		name, value, ok := strings.Cut(kv, "=")
		if !ok || name == "" {
			continue
		}
		for _, p := range patterns {
			if prefix, isPrefix := strings.CutSuffix(p, "*"); p == name || isPrefix && prefix != "" && strings.HasPrefix(name, prefix) {
				env[name] = value
			}
		}
	}
	return env
}

// environments are the variables that the commands of a workspace may see.
type environments struct{ all, init, plan, apply map[string]string }

func (o *Options) environments(cfg RepositoryConfig) environments {
	some := func(patterns ...[]string) map[string]string {
		return environment(o.Environ, slices.Concat(patterns...))
	}
	e := environments{all: some(o.Env, cfg.Env), init: some(o.InitEnv, cfg.InitEnv), plan: some(o.PlanEnv, cfg.PlanEnv), apply: some(o.ApplyEnv, cfg.ApplyEnv)}
	for _, values := range []map[string]string{o.PlanValues, cfg.PlanValues} {
		maps.Copy(e.plan, values)
	}
	for _, values := range []map[string]string{o.ApplyValues, cfg.ApplyValues} {
		maps.Copy(e.apply, values)
	}
	return e
}

// secrets are the credentials in them.
func (e environments) secrets() []string {
	var all []string
	for _, env := range []map[string]string{e.all, e.init, e.plan, e.apply} {
		all = append(all, redact.FromEnv(env)...)
	}
	return all
}

// place splits a Git URL into the host and the repository's path on it, so that
// two spellings of one repository have one lock: scheme, user, port of the
// scheme and a .git at the end do not count.
func place(raw string) (host, repository string) {
	clean := func(p string) string { return strings.TrimSuffix(strings.Trim(path.Clean("/"+p), "/"), ".git") }
	if u, err := url.Parse(raw); err == nil && u.Scheme != "" && u.Host != "" {
		host = strings.ToLower(u.Hostname())
		if p := u.Port(); p != "" && p != map[string]string{"http": "80", "https": "443", "ssh": "22"}[u.Scheme] {
			host += ":" + p
		}
		return host, clean(u.Path)
	}
	local := strings.TrimPrefix(raw, "file://")
	if before, after, ok := strings.Cut(local, ":"); ok && local == raw && !strings.Contains(before, "/") {
		if _, h, ok := strings.Cut(before, "@"); ok {
			before = h
		}
		return strings.ToLower(before), clean(after)
	}
	if abs, err := filepath.Abs(local); err == nil {
		local = abs
	}
	return "", strings.TrimSuffix(filepath.Clean(local), "/.git")
}
