package mirror

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

const (
	// readerCache bounds what one reader keeps of the objects it has read. It
	// has to hold the bases of the deltas at hand, not the repository.
	readerCache = 4 * cache.MiByte
	// largeObject is the size in bytes above which a blob is streamed.
	largeObject = 1 << 20
	// idleReaders are kept open between operations, for idleTime.
	idleReaders = 4
	idleTime    = 2 * time.Second
)

// store is the bare repository on disk and the readers open on it.
//
// go-git's storage is not safe for concurrent use and sees only the packs that
// were there when it first looked. So each operation borrows a reader of its
// own, and readers from before a change of the packs are closed, not reused.
type store struct {
	dir string

	mu    sync.Mutex // guards gen, idle and timer
	gen   int        // counts changes of the packs
	idle  []*reader
	timer *time.Timer

	// packs is held for reading while a reader is out, and for writing while
	// packs are deleted: a reader opens pack files as it goes.
	packs sync.RWMutex

	merging sync.Mutex // held while a made commit is stored
}

// reader reads objects; for one goroutine at a time.
type reader struct {
	gen    int
	sto    *filesystem.Storage // what was fetched
	merges *filesystem.Storage // what Merge has made
}

func (s *store) newReader(gen int) *reader {
	return &reader{gen: gen, sto: openStorage(s.dir, readerCache), merges: openStorage(mergesIn(s.dir), mergesCache)}
}

func openStorage(dir string, size cache.FileSize) *filesystem.Storage {
	return filesystem.NewStorageWithOptions(osfs.New(dir), cache.NewObjectLRU(size), filesystem.Options{
		KeepDescriptors:      true,
		LargeObjectThreshold: largeObject,
	})
}

// borrow returns a reader that sees all packs there are now. It must be given
// back.
func (s *store) borrow() *reader {
	s.packs.RLock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.idle); n > 0 {
		r := s.idle[n-1]
		s.idle = s.idle[:n-1]
		return r
	}
	return s.newReader(s.gen)
}

func (s *store) giveBack(r *reader) {
	defer s.packs.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.gen != s.gen || len(s.idle) >= idleReaders {
		r.close()
		return
	}
	s.idle = append(s.idle, r)
	if s.timer == nil {
		s.timer = time.AfterFunc(idleTime, s.drop)
	} else {
		s.timer.Reset(idleTime)
	}
}

// drop closes idle readers and with them their caches: a server at rest holds
// no objects in memory.
func (s *store) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeIdle()
}

// changed is called when packs were added or are about to be deleted.
func (s *store) changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gen++
	s.closeIdle()
}

func (s *store) closeIdle() {
	for _, r := range s.idle {
		r.close()
	}
	s.idle = nil
}

func (r *reader) close() {
	_ = r.sto.Close() // only read from: nothing to lose
	_ = r.merges.Close()
}

// with runs fn with a borrowed reader.
func (s *store) with(fn func(*reader) error) error {
	r := s.borrow()
	defer s.giveBack(r)
	return fn(r)
}

func (r *reader) has(h id) bool { return r.fetched(h) || r.merges.HasEncodedObject(h) == nil }

// fetched is has without what Merge has made, which may go at any time: nothing
// that stays may rely on it.
func (r *reader) fetched(h id) bool { return r.sto.HasEncodedObject(h) == nil }

// object finds an object among what was fetched, then among what was made.
func (r *reader) object(t plumbing.ObjectType, h id) (plumbing.EncodedObject, error) {
	obj, err := r.sto.EncodedObject(t, h)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		if made, failed := r.merges.EncodedObject(t, h); !errors.Is(failed, plumbing.ErrObjectNotFound) {
			return made, failed
		}
	}
	return obj, err
}

// raw returns the content of an object that must be of type t.
func (r *reader) raw(t plumbing.ObjectType, h id) ([]byte, error) {
	rc, size, err := r.open(t, h)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rc.Close() }()
	var buf bytes.Buffer
	buf.Grow(int(min(size, 64<<20)) + bytes.MinRead)
	if _, err := buf.ReadFrom(rc); err != nil {
		return nil, damaged(h, err)
	}
	return buf.Bytes(), nil
}

func (r *reader) open(t plumbing.ObjectType, h id) (io.ReadCloser, int64, error) {
	obj, err := r.object(t, h)
	if err != nil {
		return nil, 0, damaged(h, err)
	}
	rc, err := obj.Reader()
	if err != nil {
		return nil, 0, damaged(h, err)
	}
	return rc, obj.Size(), nil
}

// size is how many bytes an object has.
func (r *reader) size(h id) (int64, error) {
	n, err := r.sto.EncodedObjectSize(h)
	if err != nil {
		return 0, damaged(h, err)
	}
	return n, nil
}

// tree returns the entries of a tree object.
func (r *reader) tree(h id) ([]entry, error) {
	raw, err := r.raw(plumbing.TreeObject, h)
	if err != nil {
		return nil, err
	}
	return parseTree(raw)
}

// commit decodes a commit. ErrUnknownCommit when the mirror has no such.
func (r *reader) commit(h id) (*object.Commit, error) {
	if !r.has(h) {
		return nil, fmt.Errorf("%w: %s", ErrUnknownCommit, h)
	}
	obj, err := r.object(plumbing.CommitObject, h)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return nil, fmt.Errorf("%w: %s is not a commit", ErrUnknownCommit, h)
	}
	var c *object.Commit
	if err == nil {
		c, err = object.DecodeCommit(r.sto, obj)
	}
	if err != nil {
		return nil, damaged(h, err)
	}
	return c, nil
}

// damaged: objects are only asked for because another one names them, and
// packs hold all that their objects name, so a failed read is a fault of the
// mirror; unless the system would not let us read, which a new mirror does not
// mend.
func damaged(h id, err error) error {
	var system *fs.PathError
	if errors.As(err, &system) && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read object %s: %w", h, err)
	}
	return fmt.Errorf("%w: object %s: %w", ErrDamaged, h, err)
}

// initStore makes an empty bare repository. It names no remote: nothing in it
// could leak.
func initStore(dir string) error {
	for _, d := range []string{"objects/pack", "objects/info", "refs/heads", "refs/tags", tipsDir} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return err
		}
	}
	config := "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n[gc]\n\tauto = 0\n"
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600); err != nil {
		return err
	}
	// HEAD comes last: its presence says that the rest is there.
	return os.WriteFile(filepath.Join(dir, "HEAD"), []byte("ref: refs/heads/main\n"), 0o600)
}

// checkStore looks for what a crash or a failing disk leaves: files cut off,
// packs without index, tips whose commit or root directory cannot be read. It
// reads the indexes and the ends of the packs, not the packs.
func checkStore(dir string) error {
	head, err := os.ReadFile(filepath.Join(dir, "HEAD"))
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(head, []byte("ref: ")) {
		return errors.New("HEAD is unreadable")
	}
	packs, err := packFiles(dir)
	if err != nil {
		return err
	}
	for _, p := range packs {
		if err := checkPack(p); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(p), err)
		}
	}
	tips, err := readTips(dir)
	if err != nil {
		return err
	}
	r := (&store{dir: dir}).newReader(0)
	defer r.close()
	for _, tip := range tips {
		c, err := r.commit(tip)
		if err != nil {
			return err
		}
		if _, err := r.tree(c.TreeHash); err != nil {
			return err
		}
	}
	return nil
}

// packFiles returns the paths of all packs.
func packFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(dir, "objects", "pack"))
	if err != nil {
		return nil, err
	}
	var packs []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "pack-") && strings.HasSuffix(e.Name(), ".pack") {
			packs = append(packs, filepath.Join(dir, "objects", "pack", e.Name()))
		}
	}
	return packs, nil
}

func idxOf(pack string) string { return strings.TrimSuffix(pack, ".pack") + ".idx" }

func checkPack(pack string) error {
	raw, err := os.ReadFile(idxOf(pack))
	if err != nil {
		return err
	}
	const tail = 2 * sha1.Size // the pack's checksum and the index's own
	if len(raw) < tail || sha1.Sum(raw[:len(raw)-sha1.Size]) != [sha1.Size]byte(raw[len(raw)-sha1.Size:]) {
		return errors.New("index is damaged")
	}
	if err := idxfile.NewDecoder(bytes.NewReader(raw)).Decode(idxfile.NewMemoryIndex()); err != nil {
		return err
	}
	f, err := os.Open(pack)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	end := make([]byte, sha1.Size)
	size, err := f.Seek(-sha1.Size, io.SeekEnd)
	if err != nil {
		return errors.New("pack is cut off")
	}
	if _, err := f.ReadAt(end, size); err != nil {
		return err
	}
	if !bytes.Equal(end, raw[len(raw)-tail:len(raw)-sha1.Size]) {
		return errors.New("pack does not match its index")
	}
	return nil
}
