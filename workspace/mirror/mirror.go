package mirror

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Mirror is the bare copy of one repository, and the checkouts made from it.
// All methods may be called at the same time.
//
//	<dir>/<name>-<hash of the URL>/git               the bare repository
//	<dir>/<name>-<hash of the URL>/git/merges        what Merge has made
//	<dir>/<name>-<hash of the URL>/checkouts/<hash>  one tree a commit
type Mirror struct {
	dir    string // of this repository
	remote Remote
	loc    location
	source source
	store  *store

	// fetching holds one token: who has it may change the repository. A channel
	// and not a mutex, so that waiting for it ends with the caller's context.
	fetching chan struct{}
	damage   atomic.Bool // an object was missing or unreadable

	mu     sync.Mutex // guards the fields below
	last   *listing   // of the tree asked for last: the next is made from it
	notes  []Note
	closed bool

	checkouts checkouts
}

// source is how a kind of remote is read.
type source interface {
	// refs asks where the branches stand: one request, nothing written.
	refs(ctx context.Context) (*advert, error)
	// pull brings want, with all it names, into the store where any ref stands on
	// it, else a newer state of branch that may lead to it. ErrGone when the
	// remote offers neither.
	pull(ctx context.Context, s *store, want id, branch string) error
	close()
}

// Open opens, and makes when absent, the mirror of remote below dir. It does
// not talk to the remote. A mirror that turns out damaged is moved aside and
// begun anew, which Notes says. Checkouts that a crash left behind are removed,
// except those a living process still holds open (see Checkout.LockFile).
//
// One process at a time may have a mirror open.
func Open(dir string, remote Remote) (*Mirror, error) {
	loc, err := parseRemote(remote)
	if err != nil {
		return nil, fmt.Errorf("open mirror: %w", scrub(err, remote.Token))
	}
	abs, err := filepath.Abs(filepath.Join(dir, loc.dirName()))
	if err != nil {
		return nil, fmt.Errorf("open mirror of %s: %w", loc.url, err)
	}
	m := &Mirror{
		dir:      abs,
		remote:   remote,
		loc:      loc,
		store:    &store{dir: filepath.Join(abs, "git")},
		fetching: make(chan struct{}, 1),
	}
	m.checkouts.dir = filepath.Join(abs, "checkouts")
	if m.source, err = openSource(remote, loc); err != nil {
		return nil, fmt.Errorf("open mirror of %s: %w", loc.url, scrub(err, loc.password))
	}
	if err := m.prepare(); err != nil {
		m.source.close()
		return nil, fmt.Errorf("open mirror of %s: %w", loc.url, err)
	}
	return m, nil
}

func openSource(remote Remote, loc location) (source, error) {
	switch loc.scheme {
	case schemeHTTP, schemeHTTPS:
		return openHTTP(remote, loc)
	case schemeSSH:
		return openSSH(remote, loc)
	default:
		return &localSource{path: loc.path}, nil
	}
}

// prepare makes the repository usable and removes what crashes left.
func (m *Mirror) prepare() error {
	if err := os.MkdirAll(m.checkouts.dir, 0o700); err != nil {
		return err
	}
	_, err := os.Stat(m.store.dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if err := initStore(m.store.dir); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		if fault := checkStore(m.store.dir); fault != nil {
			if err := m.rebuild(fault); err != nil {
				return err
			}
		}
	}
	if err := removeTmpPacks(m.store.dir); err != nil {
		return err
	}
	if err := m.store.sweepMerges(); err != nil {
		return err
	}
	markUsed(m.dir, time.Now())
	left, err := m.checkouts.sweep()
	for _, name := range left {
		m.note(Note{Message: fmt.Sprintf("checkout %s is still used by a process of an earlier run and was left in place", name)})
	}
	return err
}

// asideDir is where a damaged repository is kept for a person to look at.
const asideDir = "git.damaged"

// rebuild moves the damaged repository aside, in place of one moved there
// earlier, and begins an empty one. The caller holds the fetching token, or is
// the only one to know m.
func (m *Mirror) rebuild(fault error) error {
	aside := filepath.Join(m.dir, asideDir)
	m.store.packs.Lock()
	defer m.store.packs.Unlock()
	m.store.changed()
	if err := os.RemoveAll(aside); err != nil {
		return err
	}
	if err := os.Rename(m.store.dir, aside); err != nil {
		return err
	}
	m.damage.Store(false)
	m.mu.Lock()
	m.last = nil
	m.mu.Unlock()
	m.note(Note{Message: fmt.Sprintf("the mirror of %s was damaged (%v): it was moved to %s and is fetched again", m.loc.url, fault, aside)})
	return initStore(m.store.dir)
}

// Close closes files and connections. Checkouts stay until released.
func (m *Mirror) Close() error {
	m.mu.Lock()
	m.closed, m.last = true, nil
	m.mu.Unlock()
	m.store.drop()
	m.source.close()
	return nil
}

// DropCaches closes what is kept open between reads. It happens by itself two
// seconds after the last read.
func (m *Mirror) DropCaches() { m.store.drop() }

// URL is the remote's, without credentials.
func (m *Mirror) URL() string { return m.loc.url }

// Notes returns what should be said about the mirror itself, each note once.
func (m *Mirror) Notes() []Note {
	m.mu.Lock()
	defer m.mu.Unlock()
	notes := m.notes
	m.notes = nil
	return notes
}

func (m *Mirror) note(n Note) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.notes = append(m.notes, n)
}

// read runs fn with a reader and remembers when an object turned out damaged.
func (m *Mirror) read(fn func(*reader) error) error {
	m.mu.Lock()
	closed := m.closed
	m.mu.Unlock()
	if closed {
		return ErrClosed
	}
	err := m.store.with(fn)
	if errors.Is(err, ErrDamaged) {
		m.damage.Store(true)
	}
	return err
}

// parseID reads a full commit hash: anything shorter could mean another commit
// tomorrow.
func parseID(hash string) (id, error) {
	h, ok := fullHash(hash)
	if !ok {
		return id{}, fmt.Errorf("%w: %q is not a full commit hash", ErrUnknownCommit, hash)
	}
	return h, nil
}
