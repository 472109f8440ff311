package mirror

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Checkout is the files of one commit as a directory: files 0444 or 0555,
// directories 0555, never written to by anyone. All who ask for the same commit
// share it.
type Checkout struct {
	Dir    string // absolute
	Commit string
	Notes  []Note // submodules and .terraform left out, LFS pointers

	shared  *sharedCheckout
	owner   *checkouts
	release sync.Once
}

// checkouts are the trees on disk and who holds them.
type checkouts struct {
	dir string

	// mu guards held, the fields of its values that say so, and which names in
	// dir are taken: a tree and its lock file come and go together.
	mu   sync.Mutex
	held map[string]*sharedCheckout
}

// sharedCheckout is one tree on disk.
type sharedCheckout struct {
	holders int // guarded by checkouts.mu

	// ready is closed when the tree is there, or err says why it is not. The
	// fields below are set before and not changed after.
	ready chan struct{}
	err   error
	dir   string
	lock  *os.File
	notes []Note
}

// Checkout gives out the tree of a commit, made now if nobody holds it yet. It
// must be released. Of callers that come while it is made, one makes it and the
// others wait. Errors: ErrUnknownCommit, *EscapeError for each symlink that
// leaves the repository (joined), *PathError for names that are unsafe.
func (m *Mirror) Checkout(ctx context.Context, commit string) (*Checkout, error) {
	h, err := parseID(commit)
	if err != nil {
		return nil, err
	}
	commit = h.String() // one spelling: it is a key and a directory
	for {
		s, first := m.checkouts.hold(commit)
		if first {
			s.err = m.make(ctx, commit, s)
			close(s.ready)
		} else {
			select {
			case <-s.ready:
			case <-ctx.Done():
				return nil, errors.Join(fmt.Errorf("check out %s: %w", commit, ctx.Err()), m.checkouts.letGo(commit, s))
			}
		}
		if s.err == nil {
			return &Checkout{Dir: s.dir, Commit: commit, Notes: s.notes, shared: s, owner: &m.checkouts}, nil
		}
		_ = m.checkouts.letGo(commit, s) // nothing was made: nothing is removed
		if first || ctx.Err() != nil || !errors.Is(s.err, context.Canceled) && !errors.Is(s.err, context.DeadlineExceeded) {
			return nil, fmt.Errorf("check out %s: %w", commit, s.err)
		}
		// The one who was at it gave up; we have not.
	}
}

// hold counts one more holder; first is true for the one who has to make it.
func (c *checkouts) hold(commit string) (s *sharedCheckout, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s = c.held[commit]; s != nil && !s.failed() {
		s.holders++
		return s, false
	}
	s = &sharedCheckout{holders: 1, ready: make(chan struct{})}
	if c.held == nil {
		c.held = map[string]*sharedCheckout{}
	}
	c.held[commit] = s
	return s, true
}

func (s *sharedCheckout) failed() bool {
	select {
	case <-s.ready:
		return s.err != nil
	default:
		return false
	}
}

// letGo counts one holder less; the last one removes the tree.
func (c *checkouts) letGo(commit string, s *sharedCheckout) error {
	hidden, err := c.leave(commit, s)
	if hidden == "" {
		return err
	}
	// The slow part, without holding up others.
	return errors.Join(err, destroyTree(hidden), s.lock.Close())
}

// leave counts the holder and, after the last one, takes the tree out of sight.
func (c *checkouts) leave(commit string, s *sharedCheckout) (hidden string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.holders--; s.holders > 0 {
		return "", nil
	}
	if c.held[commit] == s {
		delete(c.held, commit)
	}
	if s.err != nil { // the maker, a holder until then, has set it
		return "", nil
	}
	hidden, err = hideTree(s.dir)
	return hidden, errors.Join(err, os.Remove(lockOf(s.dir)))
}

// Release lets go of the checkout; the last holder's release removes it. A
// second call does nothing.
func (c *Checkout) Release() error {
	var err error
	c.release.Do(func() {
		if err = c.owner.letGo(c.Commit, c.shared); err != nil {
			err = fmt.Errorf("release checkout %s: %w", c.Commit, err)
		}
	})
	return err
}

// LockFile is an open file that keeps the checkout from being removed by a
// later Open as long as any process has it open. Hand it to a child process
// that reads the checkout and may outlive this one. Not to be closed or locked
// by the caller.
func (c *Checkout) LockFile() *os.File { return c.shared.lock }

// make writes the tree and publishes it under its name by one rename.
func (m *Mirror) make(ctx context.Context, commit string, s *sharedCheckout) (err error) {
	tree, err := m.Tree(commit)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(m.checkouts.dir, tmpCheckout)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, removeTree(tmp))
		}
	}()
	notes, err := tree.write(ctx, tmp)
	if err != nil {
		return err
	}
	s.dir, s.lock, err = m.checkouts.publish(tmp, commit)
	s.notes = notes
	return err
}

// publish gives a finished tree its name, and a lock that is held.
func (c *checkouts) publish(tmp, commit string) (string, *os.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	dir, lock, err := c.name(commit)
	if err != nil {
		return "", nil, err
	}
	if err := os.Rename(tmp, dir); err != nil {
		return "", nil, errors.Join(err, os.Remove(lockOf(dir)), lock.Close())
	}
	return dir, lock, nil
}

// name finds a directory name for a commit and locks it. The plain one is taken
// only while a process of an earlier run still reads its tree.
func (c *checkouts) name(commit string) (string, *os.File, error) {
	const most = 100
	for i := range most {
		dir := filepath.Join(c.dir, commit)
		if i > 0 {
			dir = fmt.Sprintf("%s-%d", dir, i)
		}
		lock, err := lockShared(lockOf(dir))
		if err != nil {
			return "", nil, err
		}
		if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
			return dir, lock, nil
		}
		_ = lock.Close() // only opened
	}
	return "", nil, fmt.Errorf("%d checkouts of one commit are still held by earlier processes", most)
}

const (
	tmpCheckout = ".new-"
	oldCheckout = ".old-"
	lockSuffix  = ".lock"
)

func lockOf(dir string) string { return dir + lockSuffix }

// sweep removes what earlier processes left, and returns the names of what is
// still held by a living one.
func (c *checkouts) sweep() (held []string, err error) {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		path := filepath.Join(c.dir, e.Name())
		if base, isLock := strings.CutSuffix(path, lockSuffix); isLock {
			if _, gone := os.Lstat(base); gone == nil {
				continue // goes with its tree
			}
			if gone := os.Remove(path); !errors.Is(gone, os.ErrNotExist) { // it may have gone just now, with its tree
				err = errors.Join(err, gone)
			}
			continue
		}
		if !strings.HasPrefix(e.Name(), ".") {
			lock, busy := lockAlone(lockOf(path))
			if busy != nil {
				held = append(held, e.Name())
				continue
			}
			err = errors.Join(err, removeTree(path), os.Remove(lockOf(path)), lock.Close())
			continue
		}
		err = errors.Join(err, removeTree(path))
	}
	return held, err
}
