package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/mooring-iac/mooring/internal/terraform"
	"github.com/mooring-iac/mooring/workspace/mirror"
)

// CollectOptions say how to collect. The zero value collects.
type CollectOptions struct {
	DryRun bool `json:"dry_run,omitempty"` // only say what would go
}

// Collected is what a collection freed, or would have: what `mooring gc` prints.
// The JSON names are a contract.
type Collected struct {
	Kinds []Freed  `json:"collected"` // every kind, in the order in which they were collected
	Total int64    `json:"bytes"`
	Notes []string `json:"notes,omitempty"` // what was left and why
}

// Freed is what was freed of one kind.
type Freed struct {
	Kind    string `json:"kind"`
	Removed int    `json:"removed"` // how many of them
	Bytes   int64  `json:"bytes"`   // that they took on disk
}

// What is collected. The words are a contract.
const (
	FreedHistory   = "history"    // ended runs in the database
	FreedLogs      = "logs"       // Terraform's output, by run
	FreedPlans     = "plans"      // saved plans
	FreedCheckouts = "checkouts"  // trees of commits
	FreedMirrors   = "mirrors"    // copies of repositories
	FreedWarm      = "workspaces" // Terraform's working directories
	FreedProviders = "providers"  // provider packages
	FreedCharts    = "charts"     // Helm charts from elsewhere
)

// logShare is the part of Keep.Size that logs may take: the rest is what makes
// the next run fast, and a history that is read now and then must not push it out.
const logShare = 4

// Collect removes what nothing needs any more, by age and size (Options.Keep).
// Runs may be under way: what they use stays, and so does what waits for a
// person. State is never touched. It returns what it did also when it fails; a
// kind that fails does not keep the others from being collected.
func (r *Runner) Collect(ctx context.Context, opts CollectOptions) (Collected, error) {
	r.collecting.Lock()
	defer r.collecting.Unlock()
	c := collection{r: r, ctx: ctx, now: r.opts.Now(), dryRun: opts.DryRun}
	c.before = c.now.Add(-r.opts.Keep.Age)
	done := Collected{Kinds: []Freed{}}
	if !opts.DryRun {
		c.failed = r.home.EmptyTrash()
	}
	for _, k := range []struct {
		kind    string
		collect func() (terraform.Freed, error)
	}{
		// History comes before the logs that go with it: a kill in between leaves logs
		// that no run names, which the next collection finds.
		{FreedHistory, c.history},
		{FreedLogs, c.logs},
		{FreedPlans, func() (terraform.Freed, error) { return r.collectPlans(opts.DryRun) }},
		{FreedCheckouts, c.checkouts},
		{FreedMirrors, c.mirrors},
		{FreedWarm, c.warm},
		// Packages come after the directories that lead to them.
		{FreedProviders, c.providers},
		{FreedCharts, c.charts},
	} {
		if err := ctx.Err(); err != nil {
			c.failed = errors.Join(c.failed, err)
			break
		}
		freed, err := k.collect()
		if errors.Is(err, terraform.ErrInitRunning) {
			done.Notes = append(done.Notes, "provider packages are left for the next time: "+terraform.ErrInitRunning.Error())
			err = nil
		}
		if err != nil {
			c.failed = errors.Join(c.failed, fmt.Errorf("collect %s: %w", k.kind, err))
		}
		done.Kinds = append(done.Kinds, Freed{Kind: k.kind, Removed: freed.Removed, Bytes: freed.Bytes})
		done.Total += freed.Bytes
	}
	return done, c.failed
}

// collection is one Collect under way.
type collection struct {
	r           *Runner
	ctx         context.Context
	now, before time.Time // before: what was last used then is old
	dryRun      bool
	forgotten   map[string]bool // runs that left the journal, or would have
	failed      error
}

// Pace of the collections of a server.
const collectEvery = 24 * time.Hour

// collectDaily collects at once and then every day until ctx ends.
func (r *Runner) collectDaily(ctx context.Context) {
	for {
		done, err := r.Collect(ctx, CollectOptions{})
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			r.opts.Log.Warn("cannot collect everything that is old", "error", err, "freed_bytes", done.Total)
		case done.Total > 0:
			attrs := []any{"freed_bytes", done.Total}
			for _, k := range done.Kinds {
				if k.Removed > 0 {
					attrs = append(attrs, k.Kind, k.Removed)
				}
			}
			r.opts.Log.Info("collected what is old", attrs...)
		}
		timer := time.NewTimer(jitter(collectEvery))
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// mergesKept is how long a merge that was planned is kept once nobody names it.
const mergesKept = 24 * time.Hour

func (c *collection) checkouts() (freed terraform.Freed, failed error) {
	used, err := c.r.inUse()
	if err != nil {
		return freed, err
	}
	for _, repo := range c.r.repos {
		_, merges := repo.mirror.CollectMerges(c.now.Add(-mergesKept), func(commit string) bool { return used.commits[commit] }, c.dryRun)
		f, err := repo.mirror.Collect(c.now, c.before, c.dryRun)
		err = errors.Join(err, merges)
		freed.Removed += f.Removed
		freed.Bytes += f.Bytes
		failed = errors.Join(failed, err)
	}
	return freed, failed
}

// mirrors removes those of repositories that the configuration does not name any
// more, or not with that URL.
func (c *collection) mirrors() (freed terraform.Freed, failed error) {
	dirs, err := c.r.mirrorDirs()
	if err != nil {
		return freed, err
	}
	used := map[string]bool{}
	for _, repo := range c.r.repos {
		used[repo.mirror.Dir()] = true
	}
	for _, dir := range dirs {
		if used[dir] {
			continue
		}
		f, err := mirror.RemoveUnused(dir, c.before, c.dryRun)
		freed.Removed += f.Removed
		freed.Bytes += f.Bytes
		failed = errors.Join(failed, err)
		if f.Removed > 0 && !c.dryRun {
			_ = os.Remove(filepath.Dir(dir)) // fails where another mirror is there, as it should
		}
	}
	return freed, failed
}

// mirrorDirs lists all mirrors in the data directory: two levels, the
// repository's name and its URL.
func (r *Runner) mirrorDirs() ([]string, error) {
	root := filepath.Join(r.opts.DataDir, "mirrors")
	var dirs []string
	names, err := os.ReadDir(root)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, name := range names {
		if err != nil || !name.IsDir() {
			continue
		}
		var urls []os.DirEntry
		urls, err = os.ReadDir(filepath.Join(root, name.Name()))
		for _, u := range urls {
			if u.IsDir() {
				dirs = append(dirs, filepath.Join(root, name.Name(), u.Name()))
			}
		}
	}
	return dirs, err
}

// warm removes the directories of workspaces that nobody knows any more.
func (c *collection) warm() (terraform.Freed, error) {
	return c.r.home.CollectWarm(c.ctx, func(name string) (bool, error) {
		in, err := c.r.inUse()
		return err == nil && !in.workspace(name), err
	}, c.dryRun)
}

// providers removes packages that no workspace uses: old ones, and others while
// everything together is larger than it may be.
func (c *collection) providers() (terraform.Freed, error) {
	total, err := c.r.usage()
	if err != nil {
		return terraform.Freed{}, err
	}
	return c.r.home.CollectProviders(c.ctx, c.now, c.before, total-c.r.size(), c.dryRun)
}

// size is Keep.Size as a number of bytes that can be subtracted from.
func (r *Runner) size() int64 { return int64(min(r.opts.Keep.Size, 1<<62)) }

// usage is how many bytes everything takes that Keep.Size bounds.
func (r *Runner) usage() (total int64, failed error) {
	for _, dir := range []string{"runs", "plans", "views", "tfdata", "lockfiles", "providers"} {
		bytes, err := terraform.Usage(filepath.Join(r.opts.DataDir, dir))
		total += bytes
		failed = errors.Join(failed, err)
	}
	dirs, err := r.mirrorDirs()
	failed = errors.Join(failed, err)
	for _, dir := range dirs {
		bytes, err := mirror.CheckoutUsage(dir)
		total += bytes
		failed = errors.Join(failed, err)
	}
	return total, failed
}
