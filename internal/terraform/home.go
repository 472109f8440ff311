package terraform

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"filippo.io/age"
)

// Options of a Home. The zero value works.
type Options struct {
	LockTimeout time.Duration // how long Terraform waits for a state lock; 0 is five minutes
	Grace       time.Duration // from an interrupt to a kill; 0 is one minute
	Parallelism int           // of Terraform's own walk; 0 is Terraform's default of ten
	FreeSpace   uint64        // bytes that must be free before an apply; 0 is 64 MiB
	// CLIConfig is the operator's Terraform CLI configuration (mirrors, credentials), a path on disk. "" is a minimal one of our own, so
	// that a ~/.terraformrc never matters.
	CLIConfig string
	PluginTLS bool // TLS between Terraform and its providers too, although their socket lies in a private directory
	// PersonHome is HOME of every command where a person plans their own working copy with their own credentials; "" is a private, empty one.
	PersonHome string
	Sandbox    Sandbox
	Timeouts   Timeouts
	// Identity opens what rests sealed: kept plans, states that no backend took. nil is one that is forgotten with this process.
	Identity *age.X25519Identity
	// Installation is a secret of this data directory, so that state locks of its runs are known again.
	Installation []byte
	AskHolder    AskHolder // finds out who holds the state lock of an http backend; nil is nobody
	PathEnv      string    // PATH of every command: git for module sources, what local-exec calls; "" is /usr/local/bin:/usr/bin:/bin
}

// Timeouts are how long one command may take; 0 is without end.
type Timeouts struct {
	Init  time.Duration
	Plan  time.Duration // and every other command that changes nothing
	Apply time.Duration
}

// Home is the part of the data directory that outlives runs. One Home at a time may use a data directory. Safe for concurrent use;
// sessions of different workspaces run side by side.
type Home struct {
	opts Options

	// Directories. All on one file system, because things move between them by rename.
	views     string // views/<workspace>/{root,checkout}
	links     string // links that views share
	initDirs  string // tfdata/<workspace>/<hash>: .terraform directories that are not in a view at present
	state     string // state/<repository>/<path>
	providers string // provider packages by address, version, platform and digest
	lockFiles string // lock files that nobody committed
	plans     string
	runs      string // private to one session, removed by its Close
	trash     string // on its way out: nobody looks for anything here
	shims     string
	unstored  string // unstored/<workspace>: states that no backend took, sealed

	cliConfig string
	dataDir   string
	userHome  string   // of the user who runs Mooring; "" when there is none
	closed    []string // what no run may see: the data directory, and what the operator keeps secrets in
	identity  *age.X25519Identity

	confineMu sync.Mutex // held while confined is found out
	confined  Confinement

	shimMu sync.Mutex // held while a shim is written

	supervisorOnce sync.Once
	supervisor     string // the small supervisor; "" where there is none

	idleMu sync.Mutex
	idle   []idle        // guarded by idleMu; supervisors that wait for the next run
	wait   time.Duration // how long they do

	mu       sync.Mutex
	open     map[string]chan struct{} // guarded by mu; by directory name: closed when its session ends
	clearing map[string]bool          // guarded by mu; those that nobody may open just now: see clear
	cleared  *sync.Cond               // on mu; one of clearing is done
}

// New prepares a Home in dataDir, which must exist or be makeable; everything is made 0700.
func New(dataDir string, opts Options) (*Home, error) {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	// Terraform resolves links in module paths; start from a path without any, so what it resolves is what we wrote.
	dataDir, err := filepath.Abs(dataDir)
	if err == nil {
		dataDir, err = filepath.EvalSymlinks(dataDir)
	}
	if err != nil {
		return nil, fmt.Errorf("find data directory: %w", err)
	}
	if opts.LockTimeout == 0 {
		opts.LockTimeout = 5 * time.Minute
	}
	if opts.Grace == 0 {
		opts.Grace = time.Minute
	}
	if opts.Parallelism == 0 {
		opts.Parallelism = 10
	}
	if opts.FreeSpace == 0 {
		opts.FreeSpace = 64 << 20
	}
	if opts.PathEnv == "" {
		opts.PathEnv = "/usr/local/bin:/usr/bin:/bin"
	}
	h := &Home{
		opts: opts, open: map[string]chan struct{}{}, clearing: map[string]bool{}, wait: idleFor, cliConfig: opts.CLIConfig,
		views: filepath.Join(dataDir, "views"), links: filepath.Join(dataDir, "views", ".links"), initDirs: filepath.Join(dataDir, "tfdata"), state: filepath.Join(dataDir, "state"),
		providers: filepath.Join(dataDir, "providers"), lockFiles: filepath.Join(dataDir, "lockfiles"),
		plans: filepath.Join(dataDir, "plans"), runs: filepath.Join(dataDir, "run"), shims: filepath.Join(dataDir, "tools", "shims"),
		unstored: filepath.Join(dataDir, "unstored"),
		trash:    filepath.Join(dataDir, "trash"),
	}
	h.cleared = sync.NewCond(&h.mu)
	for _, dir := range []string{h.links, h.initDirs, h.state, h.providers, h.lockFiles, h.plans, h.runs, h.shims, h.unstored, h.trash} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make data directory: %w", err)
		}
	}
	if err := h.checkLocks(); err != nil {
		return nil, err
	}
	h.dataDir, h.identity = dataDir, opts.Identity
	if h.identity == nil {
		if h.identity, err = age.GenerateX25519Identity(); err != nil {
			return nil, fmt.Errorf("make a key: %w", err)
		}
	}
	if home, err := os.UserHomeDir(); err == nil && filepath.IsAbs(home) {
		h.userHome = filepath.Clean(home)
	}
	h.closed = []string{dataDir}
	if h.cliConfig == "" {
		h.cliConfig = filepath.Join(dataDir, "tools", "cli.tfrc")
		text := "# Written by Mooring. The operator's own file is named by the server's configuration instead.\ndisable_checkpoint = true\n"
		if err := writeFile(h.cliConfig, []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("write Terraform CLI configuration: %w", err)
		}
	} else if _, err := os.Stat(h.cliConfig); err != nil {
		// Terraform itself only warns, and then talks to the registries the operator wanted to avoid.
		return nil, fmt.Errorf("read Terraform CLI configuration: %w", err)
	}
	return h, nil
}

// StateDir is where the state files of a repository live that would lie in its checkout.
func (h *Home) StateDir(repository string) string {
	return filepath.Join(h.state, repositoryName(repository))
}

// Forget removes what is warm for a workspace: its view, .terraform directories, plans and lock file. State stays. ErrInUse while it is
// open.
func (h *Home) Forget(repository, key string) error {
	name := WarmName(repository, key)
	gone, cancel := context.WithCancelCause(context.Background())
	cancel(nil) // nobody waits to forget
	if err := h.enter(gone, name); err != nil {
		return fmt.Errorf("forget %s: %w", key, err)
	}
	defer h.leave(name)
	if kept, err := holdsState(filepath.Join(h.views, name)); err != nil || kept {
		return errors.Join(err, fmt.Errorf("forget %s: its view holds a state that is nowhere else: %s", key, filepath.Join(h.views, name)))
	}
	plans, err := h.SavedPlans()
	if err != nil {
		return fmt.Errorf("forget %s: %w", key, err)
	}
	paths := h.warmPaths(name)
	for _, file := range plans {
		if PlanOwner(file) == name {
			paths = append(paths, file)
		}
	}
	remove, err := h.putAside(paths...)
	if remove != nil {
		err = errors.Join(err, remove())
	}
	if err != nil {
		return fmt.Errorf("forget %s: %w", key, err)
	}
	return nil
}

// sign makes a word that only this installation can make for a run of a workspace: 12 hex digits.
func (h *Home) sign(parts ...string) string {
	mac := hmac.New(sha256.New, h.opts.Installation)
	for _, part := range parts {
		fmt.Fprintf(mac, "%d:%s;", len(part), part)
	}
	return hex.EncodeToString(mac.Sum(nil))[:12]
}

// enter takes a workspace for one session and waits for the one that has it until ctx ends. Errors: ErrInUse, with why nobody waits longer.
func (h *Home) enter(ctx context.Context, name string) error {
	for {
		h.mu.Lock()
		for h.clearing[name] { // for as long as a few renames take
			h.cleared.Wait()
		}
		left := h.open[name]
		if left == nil {
			h.open[name] = make(chan struct{})
			h.mu.Unlock()
			return nil
		}
		h.mu.Unlock()
		select {
		case <-left:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrInUse, context.Cause(ctx))
		}
	}
}

func (h *Home) leave(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if left := h.open[name]; left != nil {
		close(left)
		delete(h.open, name)
	}
}
