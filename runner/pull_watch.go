package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/workspace/mirror"
)

// reviewer looks after the pull requests of one repository: it sees what is new of
// them, has them planned and says what came of it.
type reviewer struct {
	r     *Runner
	repo  *repository
	cfg   ReviewConfig
	forge *forge.Forge // nil where there are only review branches
	wake  chan struct{}
	outgo chan struct{} // something is to be posted
	began time.Time
	rooms chan struct{} // of plans under way

	looking sync.Mutex // held by the one look that may be under way

	mu      sync.Mutex // guards what follows
	running map[string]*planning
	brought map[string]string   // by commit of the branch: the pull request that it came from, "" is none
	odd     map[string]bool     // branches with names that were complained of
	moved   map[string][]string // by two commits of the branch: the units that differ
	wg      sync.WaitGroup
}

// planning is one plan under way.
type planning struct {
	head, base string
	apply      bool   // it applies: nothing ends it but itself, and a cancel
	merged     string // the commit that the forge made of merging them; "" where it made none
	cancel     context.CancelCauseFunc
	done       chan struct{}

	// Plans of one look take their locks one after another, in the order of the pull requests.
	turn    <-chan struct{} // closed when those before it have, or have not got, theirs; nil is nobody
	claimed func()          // says that this one has, or will not
}

func (r *Runner) newReviewer(repo *repository) (*reviewer, error) {
	cfg := repo.cfg.Review
	if cfg.Forge == nil && len(cfg.Branches) == 0 {
		return nil, nil
	}
	v := &reviewer{
		r: r, repo: repo, cfg: cfg, wake: make(chan struct{}, 1), outgo: make(chan struct{}, 1), began: r.opts.Now(), rooms: make(chan struct{}, mostPlans),
		running: map[string]*planning{}, brought: map[string]string{}, odd: map[string]bool{}, moved: map[string][]string{},
	}
	if cfg.Forge != nil {
		var err error
		if v.forge, err = forge.New(*cfg.Forge); err != nil {
			return nil, fmt.Errorf("repository %s: %w", repo.cfg.Name, err)
		}
	}
	return v, nil
}

// watch looks at the pull requests at the repository's pace, and at once when
// something hints at news, until ctx ends. Plans under way end with it.
func (v *reviewer) watch(ctx context.Context) {
	log := v.r.opts.Log.With("repository", v.repo.cfg.Name)
	pace := pace{}
	for ctx.Err() == nil {
		tries := pace.trouble
		err := v.look(ctx)
		if ctx.Err() != nil {
			break
		}
		pause, least := pace.after(err, v.r.opts.Now(), v.repo.cfg.Poll, v.unsettled)
		switch {
		case err != nil && tries == 0: // said once, until it is well again
			log.Error("pull requests cannot be looked at; trying again until they can", "error", err)
			v.r.emit(Event{Repository: v.repo.cfg.Name, Phase: PhasePoll, Text: err.Error()})
		case err == nil && tries > 0:
			log.Info("pull requests can be looked at again", "tries", tries)
			v.repo.wish() // what the branch brought may have waited for the same forge
		}
		v.rest(ctx, pause, least)
	}
	v.wg.Wait()
}

// once looks at the pull requests, waits until what follows from it has been done, and
// tells the forge of it: what a sync does. It returns the runs that were made for them.
func (v *reviewer) once(ctx context.Context) (made []string, err error) {
	defer v.wg.Wait()
	before, err := v.lastRuns()
	if err != nil {
		return nil, err
	}
	for range 10 { // what waits for a lock or an upstream may be free after the first round
		var busy bool
		err = v.look(ctx)
		if err == nil {
			busy, err = v.idle(ctx)
		}
		if err == nil {
			err = v.drain(ctx)
		}
		if err != nil || !busy {
			break
		}
	}
	after, unread := v.lastRuns()
	for run := range after {
		if !before[run] {
			made = append(made, run)
		}
	}
	return made, errors.Join(err, unread)
}

// lastRuns are the last plans and applies of all pull requests.
func (v *reviewer) lastRuns() (map[string]bool, error) {
	known, err := v.r.pulls(v.repo.cfg.Name)
	last := map[string]bool{}
	for _, p := range known {
		for _, run := range []string{runOf(p), p.Applied} {
			if run != "" {
				last[run] = true
			}
		}
	}
	return last, err
}

// hint asks for a look now.
func (v *reviewer) hint() {
	if v == nil {
		return
	}
	select {
	case v.wake <- struct{}{}:
	default: // one wish is enough
	}
}

// Hint says that a repository is worth a look now: its branch moved, or a pull request
// has news. Nothing is believed of it; a hint for an unknown repository is none.
func (r *Runner) Hint(repository string, pushed bool) {
	repo, err := r.repository(repository)
	if err != nil {
		return
	}
	if pushed {
		repo.wish()
	}
	repo.reviews.hint()
}

// look sees what is new of all pull requests, and starts what follows from it.
func (v *reviewer) look(ctx context.Context) error {
	v.looking.Lock()
	defer v.looking.Unlock()
	refs, err := v.repo.mirror.Refs(ctx)
	if errors.Is(err, mirror.ErrEmpty) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("repository %s: %w", v.repo.cfg.Name, err)
	}
	open, err := v.openNow(ctx, refs)
	if err != nil {
		return err
	}
	known, err := v.r.pulls(v.repo.cfg.Name)
	if err != nil {
		return err
	}
	byID := map[string]*pull{}
	for _, p := range known {
		byID[p.ID] = p
	}
	var failed error
	here := map[string]bool{}
	for _, o := range open {
		here[o.ID] = true
		if err := v.notice(ctx, byID[o.ID], o); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", o.ID, err))
		}
	}
	waits, err := v.decidable()
	if err != nil {
		return err
	}
	for _, p := range known {
		if here[p.ID] || v.applying(p.ID) {
			continue
		}
		if p.Ended {
			if p.number() > 0 && slices.ContainsFunc(p.takers(), func(run string) bool { return waits[run] }) {
				if err := v.listen(ctx, p.ID); err != nil && !errors.Is(err, forge.ErrNotFound) {
					failed = errors.Join(failed, fmt.Errorf("%s: %w", p.ID, err))
				}
			}
			continue
		}
		if err := v.gone(ctx, p, refs.Head.Branch); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", p.ID, err))
		}
	}
	return errors.Join(failed, v.schedule(ctx, refs))
}

// decidable are the runs in which something waits for a person's word.
func (v *reviewer) decidable() (waits map[string]bool, err error) {
	waits = map[string]bool{}
	err = v.r.journal.view(func(tx *bbolt.Tx) error {
		open, err := openRuns(tx)
		for _, run := range open {
			waits[run.ID] = run.Waits()
		}
		return err
	})
	return waits, err
}

// sameSecond is how long a change may hide another one: forges tell of the time of
// a change in whole seconds.
const sameSecond = 2 * time.Second

func (v *reviewer) unsettled() bool {
	known, err := v.r.pulls(v.repo.cfg.Name)
	return err == nil && slices.ContainsFunc(known, func(p *pull) bool { return !p.Fresh.IsZero() && !p.Ended })
}

// notice takes in what is new of an open pull request.
func (v *reviewer) notice(ctx context.Context, known, now *pull) error {
	moment := v.r.opts.Now()
	listen := v.listen
	if known == nil {
		now.Fresh = moment
		said, err := v.meet(ctx, now)
		if err != nil {
			return err
		}
		known = now
		listen = func(ctx context.Context, id string) error { return v.listenTo(ctx, id, said) }
	} else if !news(known.Seen, now.Seen) && known.Fresh.IsZero() && !known.Ended {
		return nil
	}
	if v.forge != nil && now.number() > 0 {
		if err := v.hearReviews(ctx, known.ID); err != nil {
			return err
		}
	}
	err := v.r.changePull(known.Repository, known.ID, func(tx *bbolt.Tx, p *pull) error {
		if news(p.Seen, now.Seen) || p.Ended {
			p.Fresh = moment
		}
		if p.Seen.Head != now.Seen.Head {
			p.Again, p.Only = "", nil
		}
		if p.Ended { // it was opened again
			p.Ended, p.Plan, p.Applied, p.Settled, p.Before, p.Took, p.Trees, p.Ahead = false, nil, "", "", "", nil, nil, nil
		}
		p.Seen = now.Seen
		return nil
	})
	if err != nil {
		return err
	}
	if v.forge != nil && now.number() > 0 {
		if err := listen(ctx, known.ID); err != nil {
			return err // it stays fresh: the next look listens again, whether there is news or not
		}
		if err := v.countNeeds(ctx, known.ID); err != nil {
			return err
		}
	}
	return v.r.changePull(known.Repository, known.ID, func(_ *bbolt.Tx, p *pull) error {
		if !p.Fresh.After(moment.Add(-sameSecond)) {
			p.Fresh = time.Time{}
		}
		return nil
	})
}

// news tells whether anything of a pull request differs that matters.
func news(a, b forge.PullRequest) bool {
	return a.Head != b.Head || a.Base != b.Base || a.State != b.State || a.Draft != b.Draft || a.Fork != b.Fork ||
		a.Title != b.Title || !a.Updated.Equal(b.Updated) || !slices.Equal(a.Labels, b.Labels)
}

// meet remembers a pull request that is seen for the first time. Where Mooring has
// said something in it before, its journal was lost since: what people asked for then
// is not done a second time. It returns what was said in it up to now.
func (v *reviewer) meet(ctx context.Context, p *pull) (comments []forge.Comment, err error) {
	if n := p.number(); v.forge != nil && n > 0 {
		if comments, err = v.forge.Comments(ctx, n, 0); err != nil {
			return nil, fmt.Errorf("read its comments: %w", err)
		}
		self, err := v.forge.Self(ctx)
		if err != nil {
			return nil, fmt.Errorf("ask who I am: %w", err)
		}
		if id := ownReport(comments, self, v.marker(p)); id != 0 {
			p.Report, p.Heard = id, comments[len(comments)-1].ID
		}
	}
	return comments, v.r.journal.update(func(tx *bbolt.Tx) error { return putPull(tx, p) })
}

// gone takes in that a pull request is no longer among the open ones.
func (v *reviewer) gone(ctx context.Context, p *pull, branch string) error {
	if v.midApply(p) {
		return nil // its end comes first, and asks for another look
	}
	now := p.Seen
	if n := p.number(); n == 0 {
		now.State = forge.Closed
	} else {
		got, err := v.forge.PullRequest(ctx, n)
		switch {
		case errors.Is(err, forge.ErrNotFound):
			now.State = forge.Closed // it was deleted
		case err != nil:
			return err
		case got.State == forge.Open && got.Base == branch:
			return nil // it was opened while the list was read: the next look sees it
		default:
			now = got
		}
		if now.State == forge.Merged {
			if err := v.hearReviews(ctx, p.ID); err != nil { // a yes may be younger than the last look
				return err
			}
		}
	}
	return v.end(p.ID, now)
}
