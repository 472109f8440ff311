package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
)

// Commits that Merge makes lie apart from what was fetched, below merges in the
// repository: each in a pack of its own with all it needs beyond what was
// fetched, and a file named by its hash that names the pack. So one can go
// without harm to any other, nothing that a fetch leaves out because it is here
// can go with it, and no remote is told of commits that it cannot know.
//
//	merges/<commit>                                the pack's checksum; its time: when last asked for
//	merges/objects/pack/pack-<checksum>.pack, .idx
func mergesIn(dir string) string { return filepath.Join(dir, "merges") }

const (
	mergesCache = 1 * cache.MiByte
	tmpMerge    = "tmp_merge"
)

func mergePacks(dir string) string { return filepath.Join(mergesIn(dir), "objects", "pack") }

// keepMerge stores a made commit, the first of objects, with the others; or notes
// that one which is there was asked for again. The caller is a reader, so that
// none is let go meanwhile.
func (s *store) keepMerge(ctx context.Context, objects []*plumbing.MemoryObject) error {
	s.merging.Lock()
	defer s.merging.Unlock()
	name := filepath.Join(mergesIn(s.dir), objects[0].Hash().String())
	if _, err := os.Stat(name); err == nil {
		now := time.Now()
		return os.Chtimes(name, now, now)
	}
	packDir := mergePacks(s.dir)
	if err := os.MkdirAll(packDir, 0o700); err != nil {
		return err
	}
	ids := make([]id, len(objects))
	made := make(map[id]*plumbing.MemoryObject, len(objects))
	for i, obj := range objects {
		ids[i] = obj.Hash()
		made[ids[i]] = obj
	}
	p, err := writePackFile(ctx, packDir, func(w io.Writer) error {
		return writePack(w, ids, func(h id) (plumbing.EncodedObject, error) { return made[h], nil })
	}, func(p packed) error { return p.holds(ids) })
	if err != nil {
		return err
	}
	defer s.changed()
	tmp := filepath.Join(mergesIn(s.dir), tmpMerge)
	if err := os.WriteFile(tmp, []byte(packSum(p.path)+"\n"), 0o600); err != nil {
		return err
	}
	// A crash in between leaves a pack that nothing names, which Open removes.
	// The name is not synced: where a crash takes it, the merge is made again.
	return os.Rename(tmp, name)
}

func packSum(pack string) string {
	return strings.TrimSuffix(strings.TrimPrefix(filepath.Base(pack), "pack-"), ".pack")
}

// Forget lets go of a commit that Merge made. What is no such commit, or gone
// already, is left alone. Merge makes the same one again. A Checkout of it stays
// as it is.
func (m *Mirror) Forget(commit string) error {
	h, err := parseID(commit)
	if err == nil {
		_, err = m.store.forget(h, time.Time{}, false)
	}
	if err != nil {
		return fmt.Errorf("forget the merge %s: %w", commit, err)
	}
	return nil
}

// CollectMerges lets go of commits that Merge made which were last asked for
// before the given time and which nobody wants any more.
func (m *Mirror) CollectMerges(before time.Time, wanted func(commit string) bool, dryRun bool) (freed Freed, err error) {
	merges, err := m.store.merges()
	if err != nil {
		return freed, fmt.Errorf("collect merges of %s: %w", m.loc.url, err)
	}
	for _, h := range merges {
		if wanted(h.String()) {
			continue
		}
		bytes, failed := m.store.forget(h, before, dryRun)
		if bytes > 0 && failed == nil {
			freed.add(bytes)
		}
		err = errors.Join(err, failed)
	}
	if err != nil {
		return freed, fmt.Errorf("collect merges of %s: %w", m.loc.url, err)
	}
	return freed, nil
}

// merges lists the made commits.
func (s *store) merges() ([]id, error) {
	entries, err := os.ReadDir(mergesIn(s.dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var ids []id
	for _, e := range entries {
		if h, ok := fullHash(e.Name()); ok {
			ids = append(ids, h)
		}
	}
	return ids, nil
}

// forget removes a made commit that was asked for last before a time, where one
// is given, and returns the bytes on disk that it took. It waits until nobody
// reads: a reader opens packs as it goes.
func (s *store) forget(commit id, before time.Time, dryRun bool) (bytes int64, err error) {
	s.packs.Lock()
	defer s.packs.Unlock()
	name := filepath.Join(mergesIn(s.dir), commit.String())
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !before.IsZero() && !info.ModTime().Before(before) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	pack, err := packOfMerge(s.dir, commit)
	if err != nil {
		return 0, err
	}
	for _, path := range []string{name, pack, idxOf(pack)} {
		n, err := treeSize(path)
		if err != nil {
			return 0, err
		}
		bytes += n
	}
	if dryRun {
		return bytes, nil
	}
	s.changed()
	// The name first: a pack that nothing names is removed by Open.
	return bytes, errors.Join(os.Remove(name), os.Remove(pack), os.Remove(idxOf(pack)))
}

func packOfMerge(dir string, commit id) (string, error) {
	raw, err := os.ReadFile(filepath.Join(mergesIn(dir), commit.String()))
	if err != nil {
		return "", err
	}
	sum, ok := fullHash(strings.TrimSpace(string(raw)))
	if !ok {
		return "", fmt.Errorf("merge %s names no pack", commit)
	}
	return filepath.Join(mergePacks(dir), "pack-"+sum.String()+".pack"), nil
}

// sweepMerges removes what crashes left: commits whose pack is not whole, packs
// that no commit names. Nothing is lost, for any merge can be made again. For
// Open, before anybody reads.
func (s *store) sweepMerges() error {
	merges, err := s.merges()
	if err != nil {
		return err
	}
	named := map[string]bool{}
	for _, h := range merges {
		pack, fault := packOfMerge(s.dir, h)
		if fault == nil {
			fault = checkPack(pack)
		}
		if fault == nil {
			named[pack], named[idxOf(pack)] = true, true
			continue
		}
		if err := os.Remove(filepath.Join(mergesIn(s.dir), h.String())); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(incoming(mergePacks(s.dir))); err != nil {
		return err
	}
	files, err := os.ReadDir(mergePacks(s.dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, f := range files {
		if path := filepath.Join(mergePacks(s.dir), f.Name()); !named[path] {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return err
}
