package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mooring-iac/mooring/internal/charts"
	"github.com/mooring-iac/mooring/internal/notify"
	"github.com/mooring-iac/mooring/internal/terraform"
	"github.com/mooring-iac/mooring/internal/terraform/holder"
	"github.com/mooring-iac/mooring/internal/terraform/redact"
	"github.com/mooring-iac/mooring/internal/terraform/releases"
	"github.com/mooring-iac/mooring/k8s"
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
	began    time.Time
	journal  *journal
	seal     *sealer
	slots    chan struct{} // one token a unit that runs: the server's limit, over all repositories
	home     *terraform.Home
	tools    *terraform.Tools
	clusters *clusters
	keys     *k8s.Keys // what opens encrypted manifests
	charts   *charts.Store
	repos    []*repository
	counters *counters

	scanSlots chan struct{} // one token a unit that is scanned: never one of slots
	lookers   lookers
	scanWake  chan struct{}    // asks for the schedule to be looked at again; holds at most one wish
	scanTurn  atomic.Int64     // when the schedule last turned, in nanoseconds of Unix time
	notify    teller           // nil where nobody is told
	notifier  *notify.Notifier // the same, where the configuration has channels

	collecting sync.Mutex // held by the one collection that may run

	hurry     chan struct{} // closed when running applies are to be interrupted at once
	hurryOnce sync.Once
	serving   atomic.Bool // the loop runs, and delivers what is to be told
	handOver  atomic.Bool // a shutdown leaves running applies to their supervisors

	confineOnce sync.Once
	confineErr  error

	mu      sync.Mutex          // guards what follows
	running map[string]*control // by run: what a person may cancel
	adopted []adopted           // applies that were found alive
	// recorded are applies that had ended by the time that this Runner was opened, until a pass has reported them.
	recorded []adopted
}

// repository is one watched repository.
type repository struct {
	cfg        RepositoryConfig
	host, path string
	mirror     *mirror.Mirror
	scanner    *workspace.Scanner
	wake       chan struct{}    // asks the loop for a pass now; holds at most one wish
	reviews    *reviewer        // nil where nothing is reviewed
	remedies   *remedier        // nil where there is no forge
	judges     judges           // the last rules of it
	hide       *redact.Redactor // of what the repository is reached with
	turned     atomic.Int64     // when the loop last looked at it, in nanoseconds of Unix time; 0 before it runs
	undone     atomic.Bool      // what a pull request applied was never merged: the next pass plans it from the branch

	pass sync.Mutex // held by the one pass of this repository that may run

	reads   sync.Mutex // guards graph and graphOf; held while a commit is read
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
		opts:      opts,
		began:     opts.Now(),
		journal:   j,
		slots:     make(chan struct{}, opts.Parallel),
		scanSlots: make(chan struct{}, opts.Parallel),
		scanWake:  make(chan struct{}, 1),
		hurry:     make(chan struct{}),
		running:   map[string]*control{},
	}
	if err := r.furnish(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Runner) furnish() error {
	installation, err := r.journal.installation()
	if err != nil {
		return err
	}
	if r.seal, err = openSealer(r.opts.DataDir, r.opts.KeyFile, r.journal); err != nil {
		return err
	}
	r.tools = newTools(r.opts)
	if r.home, err = terraform.New(r.opts.DataDir, terraform.Options{
		CLIConfig: r.opts.CLIConfig, PathEnv: os.Getenv("PATH"), Grace: afterInterrupt,
		Sandbox: terraform.Sandbox(r.opts.Sandbox), Timeouts: terraform.Timeouts(r.opts.Timeouts), FreeSpace: r.opts.MinFree,
		Identity: r.seal.identity, Installation: installation, AskHolder: holder.Ask,
	}); err != nil {
		return err
	}
	if r.clusters, err = newClusters(r.opts); err != nil {
		return err
	}
	if r.keys, err = k8s.ReadKeys(r.opts.Keys); err != nil {
		return err
	}
	r.charts = newCharts(r.opts)
	if len(r.opts.Notify.Channels) > 0 {
		if r.notifier, err = notify.New(notify.Options{
			Config: r.opts.Notify, Store: r.journal.db, Version: r.opts.Version, Now: r.opts.Now, Observe: r.delivered,
		}); err != nil {
			return err
		}
		r.notify = r.notifier
	}
	r.counters = newCounters(r)
	for _, cfg := range r.opts.Repositories {
		repo, err := r.openRepository(cfg)
		if err != nil {
			return err
		}
		if repo.reviews, err = r.newReviewer(repo); err != nil {
			return err
		}
		repo.remedies = newRemedier(r, repo)
		r.repos = append(r.repos, repo)
	}
	if err := r.recover(); err != nil {
		return err
	}
	_, err = r.collectPlans(false)
	return err
}

// confine says once, aloud, how Terraform is confined here. It fails where the
// operator requires more than the machine gives: nothing is run then.
func (r *Runner) confine(ctx context.Context) error {
	r.confineOnce.Do(func() {
		var c terraform.Confinement
		if c, r.confineErr = r.home.Confinement(ctx); r.confineErr != nil {
			return
		}
		if !c.Apart() {
			// What Terraform starts sees this process, which holds every credential: nobody of the same user may look into it.
			if r.confineErr = terraform.Harden(); r.confineErr != nil {
				return
			}
		}
		if c.Weak() {
			r.opts.Log.Warn(c.String())
		} else {
			r.opts.Log.Info(c.String())
		}
	})
	return r.confineErr
}

func newTools(opts Options) *terraform.Tools {
	t := &terraform.Tools{
		Dir:      filepath.Join(opts.DataDir, "tools"),
		Releases: releases.Server{URL: opts.ReleasesURL, PublicKey: opts.ReleasesKey},
		PathEnv:  os.Getenv("PATH"),
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
	hide := redact.New(cfg.Token, string(cfg.SSHKey), cfg.Passphrase)
	if f := cfg.Review.Forge; f != nil {
		hide.Add(f.Token)
	}
	return &repository{
		cfg: cfg, host: host, path: path, mirror: m, hide: hide,
		scanner: workspace.NewScanner(workspace.ScannerOptions{Clusters: r.clusters.names(cfg.Name), HealthFaults: HealthFaults, ChartFaults: ChartFaults(append(charts.Allowlist{}, r.opts.Charts.Allow...))}),
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

// HandOver makes a shutdown leave running applies to their supervisors: they go on,
// and the next Mooring on this data directory records how they ended.
func (r *Runner) HandOver() { r.handOver.Store(true) }

// lingering is a context for an apply: it outlives ctx by the grace period, or until
// Interrupt or a person's cancel. An apply that has begun is worth waiting for. One
// that goes on by itself may be handed over.
func (r *Runner) lingering(ctx context.Context, goesOn bool) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	go func() {
		stop := stopOf(ctx)
		atOnce := errors.New("mooring is stopped at once")
		select {
		case <-out.Done():
			return
		case <-r.hurry:
			cancel(atOnce)
			return
		case <-stop.Done():
			cancel(context.Cause(stop))
			return
		case <-ctx.Done():
		}
		if cancelledBy(ctx) == "" && goesOn && r.handOver.Load() {
			cancel(terraform.ErrHandOver)
			return
		}
		grace := time.NewTimer(r.opts.Grace)
		defer grace.Stop()
		select {
		case <-out.Done():
		case <-grace.C:
			cancel(fmt.Errorf("mooring is stopped, and the grace period of %s is over", r.opts.Grace))
		case <-r.hurry:
			cancel(atOnce)
		case <-stop.Done():
			cancel(context.Cause(stop))
		}
	}()
	return out, func() { cancel(nil) }
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
	key := locks.Key{Host: repo.host, Repository: repo.path, Kind: string(u.Kind), Dir: u.Dir, Workspace: u.Workspace + "\x00" + backendDigest(u)}
	if Kind(u.Kind) == KindManifests {
		key.Dir, key.Workspace = u.Path, r.clusters.resolve(u.Cluster)
	}
	return key
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
