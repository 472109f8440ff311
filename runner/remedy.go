package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/runner/drift"
	"github.com/mooring-iac/mooring/workspace"
)

// issueDesk is what a forge does with issues. *forge.Forge is one.
type issueDesk interface {
	FindIssue(ctx context.Context, marked func(body string) bool) (forge.Issue, bool, error)
	Issue(ctx context.Context, number int) (forge.Issue, error)
	OpenIssue(ctx context.Context, i forge.Issue) (forge.Issue, error)
	EditIssue(ctx context.Context, number int, title, body string) error
	CloseIssue(ctx context.Context, number int, comment string) error
}

// pullDesk is what a forge does with branches and pull requests. *forge.Forge is one.
type pullDesk interface {
	Push(ctx context.Context, b forge.Branch) (string, error)
	DeleteBranch(ctx context.Context, name string) error
	FindPull(ctx context.Context, head string) (forge.PullRequest, bool, error)
	PullRequest(ctx context.Context, number int) (forge.PullRequest, error)
	OpenPull(ctx context.Context, p forge.Pull) (forge.PullRequest, error)
	UpdatePull(ctx context.Context, number int, title, body string) error
	ClosePull(ctx context.Context, number int) error
}

// remedier keeps the issues and pull requests about the drift of one repository as the drift is. It is told nothing:
// whenever it looks it compares what has drifted with what it wrote last.
type remedier struct {
	r      *Runner
	repo   *repository
	issues issueDesk
	pulls  pullDesk
	limit  int // bytes of a text that the forge takes
	wake   chan struct{}

	looking sync.Mutex // held by the one look that may be under way

	mu     sync.Mutex // guards what follows
	denied error      // what the forge did not allow at the last look; nil where it allowed all
}

func newRemedier(r *Runner, repo *repository) *remedier {
	if repo.reviews == nil || repo.reviews.forge == nil {
		return nil
	}
	f := repo.reviews.forge
	return &remedier{r: r, repo: repo, issues: f, pulls: f, limit: f.MaxComment(), wake: make(chan struct{}, 1)}
}

// hint asks for a look now.
func (d *remedier) hint() {
	if d == nil {
		return
	}
	select {
	case d.wake <- struct{}{}:
	default: // one wish is enough
	}
}

const (
	// remedyPace is the pause between looks that nobody asked for: what people do with issues and pull requests is seen then.
	remedyPace = 5 * time.Minute
	// deniedPause is how long a forge is left alone that does not allow something: a person has to give the right first.
	deniedPause = time.Hour
)

// watch looks whenever a scan has found something, and at its own pace, until ctx ends.
func (d *remedier) watch(ctx context.Context) {
	log := d.r.opts.Log.With("repository", d.repo.cfg.Name)
	tries := 0
	said := ""
	for ctx.Err() == nil {
		err := d.look(ctx)
		if ctx.Err() != nil {
			return
		}
		switch {
		case err == nil && tries > 0:
			log.Info("the forge has all that is to be said of drift again", "tries", tries)
			tries, said = 0, ""
		case err != nil:
			if tries++; err.Error() != said { // said once, until it is another
				said = err.Error()
				log.Error("what is to be said of drift cannot be written to the forge; trying again until it can", "error", err)
			}
		}
		pause, least := remedyRest(err, tries, d.r.opts.Now())
		d.rest(ctx, pause, least)
	}
}

// remedyRest is how long to rest after a look: hints shorten it to least and no further.
func remedyRest(err error, tries int, now time.Time) (pause, least time.Duration) {
	var limit *forge.LimitError
	switch {
	case err == nil:
		return jitter(remedyPace), 0
	case errors.As(err, &limit):
		least = max(firstPause, limit.Until.Sub(now))
	case errors.Is(err, forge.ErrDenied):
		least = jitter(deniedPause)
	default:
		least = backoff(firstPause, lastPause, tries)
	}
	return least, least
}

func (d *remedier) rest(ctx context.Context, pause, least time.Duration) {
	if least > 0 {
		began := time.NewTimer(least)
		defer began.Stop()
		select {
		case <-ctx.Done():
			return
		case <-began.C:
		}
	}
	left := time.NewTimer(pause - least)
	defer left.Stop()
	select {
	case <-ctx.Done():
	case <-d.wake:
	case <-left.C:
	}
}

// remedyNow has the forges told before a command ends. Where the loop runs, that does.
func (r *Runner) remedyNow(ctx context.Context) (failed error) {
	if r.serving.Load() {
		return nil
	}
	for _, repo := range r.repos {
		if repo.remedies == nil || ctx.Err() != nil {
			continue
		}
		if err := repo.remedies.look(ctx); err != nil {
			failed = errors.Join(failed, fmt.Errorf("repository %s: %w", repo.cfg.Name, err))
		}
	}
	return failed
}

// sight is what one look goes by.
type sight struct {
	head    string
	graph   *workspace.Graph
	drifts  map[string][]drift.Record // open, by unit
	written map[string]*remedy        // by unit
	known   map[string]*memory
	scans   map[string]scanMemory
	branch  string // that head is on; "" until somebody wants to know
}

// look writes what is to be written about every unit. One that fails does not keep the others from theirs, unless the
// forge is away.
func (d *remedier) look(ctx context.Context) error {
	d.looking.Lock()
	defer d.looking.Unlock()
	s, err := d.see(ctx)
	if err != nil || s == nil {
		return err
	}
	units := map[string]bool{}
	for id := range s.drifts {
		units[id] = true
	}
	for id := range s.written {
		units[id] = true
	}
	var failed, denied error
	for _, id := range slices.Sorted(maps.Keys(units)) {
		err := d.unit(ctx, s, id)
		if err != nil {
			err = fmt.Errorf("%s: %w", id, err)
			failed = errors.Join(failed, err)
		}
		if errors.Is(err, forge.ErrDenied) {
			denied = errors.Join(denied, err)
		}
		if errors.Is(err, forge.ErrUnavailable) || ctx.Err() != nil { // a limit is one too
			break
		}
	}
	d.mu.Lock()
	d.denied = denied
	d.mu.Unlock()
	return failed
}

// refusal is what the forge did not allow at the last look; nil where it allowed all.
func (d *remedier) refusal() error {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.denied
}

// see reads what a look goes by; nil where there is nothing to do.
func (d *remedier) see(ctx context.Context) (*sight, error) {
	s := &sight{drifts: map[string][]drift.Record{}}
	name := d.repo.cfg.Name
	err := d.r.journal.view(func(tx *bbolt.Tx) error {
		open, err := openDrifts(tx, name, "")
		if err != nil {
			return err
		}
		for _, r := range open {
			s.drifts[r.Unit] = append(s.drifts[r.Unit], r)
		}
		if s.written, err = remedies(tx, name); err != nil {
			return err
		}
		if s.known, err = memories(tx, name); err != nil {
			return err
		}
		last, err := getRepository(tx, name)
		if err != nil {
			return err
		}
		s.head = last.Head
		if last.Before != "" {
			s.head = last.Before
		}
		s.scans, err = scansOf(tx, name)
		return err
	})
	if err != nil || s.head == "" || len(s.drifts)+len(s.written) == 0 {
		return nil, err
	}
	s.graph, err = d.repo.graphAt(ctx, s.head)
	return s, err
}

// unit does for one unit what the repository asks for and the operator allows.
func (d *remedier) unit(ctx context.Context, s *sight, id string) error {
	m, records := s.written[id], s.drifts[id]
	u := s.graph.Unit(id)
	if m == nil {
		m = &remedy{Repository: d.repo.cfg.Name, Unit: id}
	}
	rung := workspace.RemediateNever
	if u != nil {
		rung = rungOf(u, d.repo.cfg.Drift.Remediate)
	}
	switch {
	case len(records) == 0:
		return d.healed(ctx, m)
	case rung == workspace.RemediateNever:
		return d.putAway(ctx, m, "Mooring does not look after this any more: the repository's rules no longer ask for it.")
	case !m.open() && !slices.ContainsFunc(records, func(r drift.Record) bool { return !r.Acknowledged(d.r.opts.Now()) }):
		return nil // somebody knows: nothing new is opened
	}
	about := telling{u: u, records: records, drift: fingerprints(records)}
	switch rung {
	case workspace.RemediateApply:
		about.why = s.scans[id].Unhealed
		if about.why == "" {
			return nil // an apply is on its way, and what is open is open until that has healed it
		}
	case workspace.RemediatePullRequest:
		written, err := d.pull(ctx, s, m, &about)
		if err != nil || written {
			return err
		}
	}
	return d.issue(ctx, m, about)
}

// rungOf is what is done about drift of a unit: what the repository asks for, as far as the operator allows it.
func rungOf(u *workspace.Unit, ceiling workspace.Remediate) workspace.Remediate {
	if u.Drift.Heal {
		return workspace.RemediateApply.AtMost(ceiling)
	}
	return u.Drift.Remediate.AtMost(ceiling)
}

// noForge says why nothing comes of what a unit asks for, or "".
func (repo *repository) noForge(u *workspace.Unit) string {
	rung := rungOf(u, repo.cfg.Drift.Remediate)
	if repo.remedies != nil || rung != workspace.RemediateIssue && rung != workspace.RemediatePullRequest {
		return ""
	}
	return fmt.Sprintf("no forge: remediate = %q does nothing here, for the repository has no forge block in server.hcl", rung)
}
