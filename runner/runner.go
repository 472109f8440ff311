package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/terraform"
	"github.com/mooring-iac/mooring/locks"
	"github.com/mooring-iac/mooring/workspace"
	"github.com/mooring-iac/mooring/workspace/mirror"
)

// afterInterrupt is how long an interrupted Terraform may take to write its state
// before it is killed: a shutdown takes the grace period and this at the most.
const afterInterrupt = 30 * time.Second

// Runner takes commits through their units. Make one with Open; one data
// directory has one Runner at a time.
type Runner struct {
	opts     Options
	journal  *journal
	seal     *sealer
	slots    chan struct{} // one token a unit that runs: the server's limit, over all repositories
	home     *terraform.Home
	tools    *terraform.Tools
	clusters *clusters
	repos    []*repository
	counters *counters

	collecting sync.Mutex // held by the one collection that may run

	hurry     chan struct{} // closed when running applies are to be interrupted at once
	hurryOnce sync.Once
}

// repository is one watched repository.
type repository struct {
	cfg        RepositoryConfig
	host, path string
	mirror     *mirror.Mirror
	scanner    *workspace.Scanner
	wake       chan struct{} // asks the loop for a pass now; holds at most one wish

	pass sync.Mutex // held by the one pass of this repository that may run

	reading sync.Mutex // guards graph and graphOf; held while a commit is read
	graph   *workspace.Graph
	graphOf string // the commit that graph is of

	mu      sync.Mutex // guards what follows
	polled  time.Time  // last poll that got an answer
	trouble error      // why the last poll got none
}

// Open takes the data directory for itself and makes ready to run. It starts
// nothing. The caller closes the Runner.
func Open(opts Options) (*Runner, error) {
	if err := opts.setDefaults(); err != nil {
		return nil, err
	}
	if err := makePrivate(opts.DataDir); err != nil {
		return nil, err
	}
	j, err := openJournal(opts.DataDir, opts.Now())
	if err != nil {
		return nil, err
	}
	r := &Runner{
		opts:    opts,
		journal: j,
		slots:   make(chan struct{}, opts.Parallel),
		hurry:   make(chan struct{}),
	}
	if err := r.furnish(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Runner) furnish() error {
	var err error
	if r.seal, err = openSealer(r.opts.DataDir); err != nil {
		return err
	}
	r.tools = newTools(r.opts)
	if r.home, err = terraform.New(r.opts.DataDir, terraform.Options{
		CLIConfig: r.opts.CLIConfig, PathEnv: os.Getenv("PATH"), Grace: afterInterrupt,
	}); err != nil {
		return err
	}
	if r.clusters, err = newClusters(r.opts.Clusters, r.opts.Version); err != nil {
		return err
	}
	r.counters = newCounters(r)
	for _, cfg := range r.opts.Repositories {
		repo, err := r.openRepository(cfg)
		if err != nil {
			return err
		}
		r.repos = append(r.repos, repo)
	}
	if err := r.recover(); err != nil {
		return err
	}
	_, err = r.collectPlans(false)
	return err
}

func newTools(opts Options) *terraform.Tools {
	t := &terraform.Tools{
		Dir:         filepath.Join(opts.DataDir, "tools"),
		ReleasesURL: opts.ReleasesURL,
		PublicKey:   opts.ReleasesKey,
		PathEnv:     os.Getenv("PATH"),
	}
	if opts.ToolPath != "" {
		t.Paths = map[string]string{"terraform": opts.ToolPath}
	}
	return t
}

func (r *Runner) openRepository(cfg RepositoryConfig) (*repository, error) {
	m, err := mirror.Open(filepath.Join(r.opts.DataDir, "mirrors", fileName(cfg.Name)), mirror.Remote{
		URL: cfg.URL, Branch: cfg.Branch, Username: cfg.Username, Token: cfg.Token,
		SSHKey: cfg.SSHKey, SSHKeyPassphrase: cfg.Passphrase, KnownHosts: cfg.KnownHosts, CABundle: cfg.CABundle,
	})
	if err != nil {
		return nil, fmt.Errorf("repository %s: %w", cfg.Name, err)
	}
	host, path := place(cfg.URL)
	return &repository{
		cfg: cfg, host: host, path: path, mirror: m,
		scanner: workspace.NewScanner(workspace.ScannerOptions{Clusters: r.clusters.names()}),
		wake:    make(chan struct{}, 1),
	}, nil
}

// Close lets go of the data directory. Nothing may run any more.
func (r *Runner) Close() error {
	var failed error
	for _, repo := range r.repos {
		failed = errors.Join(failed, repo.mirror.Close())
	}
	if r.clusters != nil {
		r.clusters.close()
	}
	return errors.Join(failed, r.journal.db.Close())
}

// Interrupt makes running applies end now instead of within the grace period:
// what a second signal asks for.
func (r *Runner) Interrupt() { r.hurryOnce.Do(func() { close(r.hurry) }) }

// lingering is a context for an apply: it outlives ctx by the grace period, or
// until Interrupt. An apply that has begun is worth waiting for.
func (r *Runner) lingering(ctx context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		select {
		case <-out.Done():
			return
		case <-r.hurry:
		case <-ctx.Done():
			grace := time.NewTimer(r.opts.Grace)
			defer grace.Stop()
			select {
			case <-out.Done():
			case <-grace.C:
			case <-r.hurry:
			}
		}
		cancel()
	}()
	return out, cancel
}

func (r *Runner) repository(name string) (*repository, error) {
	for _, repo := range r.repos {
		if repo.cfg.Name == name {
			return repo, nil
		}
	}
	return nil, fmt.Errorf("no repository is called %q in the server's configuration", name)
}

// lockKey names the state that a unit touches, whatever its id.
func (r *Runner) lockKey(repo *repository, u *workspace.Unit) locks.Key {
	key := locks.Key{Host: repo.host, Repository: repo.path, Kind: string(u.Kind), Dir: u.Dir, Workspace: strings.Join(append([]string{u.Workspace}, u.BackendConfig()...), "\x00")}
	if Kind(u.Kind) == KindManifests {
		key.Dir, key.Workspace = u.Path, r.clusters.resolve(u.Cluster)
	}
	return key
}

// recover puts right what a Mooring that was killed left behind: its locks are
// released, an apply whose end nobody saw is called interrupted, and whatever
// had not begun to change anything is taken again by the next pass.
func (r *Runner) recover() error {
	return r.journal.update(func(tx *bbolt.Tx) error {
		held, err := locks.List(tx)
		if err != nil {
			return err
		}
		for _, l := range held {
			if _, err := locks.Break(tx, l.Key); err != nil {
				return err
			}
		}
		runs, err := openRuns(tx)
		if err != nil {
			return err
		}
		for _, run := range runs {
			if run.Status != Running && run.Status != Queued {
				continue
			}
			if err := r.recoverRun(tx, run); err != nil {
				return fmt.Errorf("recover %s: %w", run.ID, err)
			}
		}
		return nil
	})
}

func (r *Runner) recoverRun(tx *bbolt.Tx, run *Run) error {
	for i := range run.Units {
		u := &run.Units[i]
		if u.Status != Running && u.Status != Queued {
			continue
		}
		m, err := getMemory(tx, run.Repository, u.ID)
		if err != nil {
			return err
		}
		switch {
		case u.Status == Running && m.Intent != nil && m.Intent.Run == run.ID:
			u.Status = Interrupted
			u.Error = fmt.Sprintf("Mooring ended while an apply was running (started %s, plan %.12s, state serial %d): nobody saw how it went", m.Intent.Started.Format(time.RFC3339), m.Intent.Digest, m.Intent.Serial)
			m.Intent = nil
			m.Taken = &taken{Run: run.ID, Commit: run.Commit, Status: Interrupted, Began: true, Removal: u.Removal}
			m.Unseen = true
		case u.Status == Running:
			u.Status, u.Error = Failed, "Mooring ended before anything was changed: the next pass takes it again"
			m.Taken = &taken{Run: run.ID, Commit: run.Commit, Status: Failed, Removal: u.Removal}
		default:
			u.Status, u.Reason = Skipped, "Mooring ended before it began: the next pass takes it again"
			m.Taken = &taken{Run: run.ID, Commit: run.Commit, Status: Skipped, Removal: u.Removal}
		}
		if m.Kind != "" { // a unit that was never taken needs no memory to be taken
			if err := putMemory(tx, m); err != nil {
				return err
			}
		}
		if err := putResult(tx, run.ID, *u); err != nil {
			return err
		}
	}
	end := r.opts.Now()
	run.Finished = &end
	run.Settle()
	return putRun(tx, run)
}

func makePrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("data directory %s has mode %04o: others can write to it; chmod 700 it", dir, info.Mode().Perm())
	}
	return nil
}
