package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
)

const (
	// manyPacks is how many packs may gather before small ones are combined.
	// Each fetch makes one, and each lookup asks all of them.
	manyPacks = 16
	// bigPack, in bytes: packs of this size are left alone. They come from a
	// server that has delta-compressed them; we do not, and they would grow.
	bigPack = 32 << 20
)

// compact combines small packs into one, so that thousands of fetches leave a
// handful. Nothing is dropped, also what no branch names any more: a unit may
// still be compared with it. The caller holds the fetching token.
func (m *Mirror) compact(ctx context.Context) error {
	packs, err := smallPacks(m.store.dir)
	if err != nil {
		return err
	}
	if len(packs) <= manyPacks {
		return nil
	}
	sizes := make([]int64, len(packs))
	for i, p := range packs {
		sizes[i] = p.size
	}
	packs = packs[:rollUp(sizes)]
	ids, err := objectsOf(packs)
	if err != nil {
		return err
	}
	var made packed
	if err := m.read(func(r *reader) error {
		made, err = m.store.addPack(ctx, func(w io.Writer) error {
			return writePack(w, ids, func(h id) (plumbing.EncodedObject, error) {
				return r.sto.EncodedObject(plumbing.AnyObject, h)
			})
		}, func(p packed) error { return p.holds(ids) })
		return err
	}); err != nil {
		return err
	}
	return m.store.deletePacks(packs, made.path)
}

type packInfo struct {
	path string
	size int64
}

// smallPacks returns the packs that may be combined, smallest first.
func smallPacks(dir string) ([]packInfo, error) {
	paths, err := packFiles(dir)
	if err != nil {
		return nil, err
	}
	var packs []packInfo
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, err
		}
		if info.Size() < bigPack {
			packs = append(packs, packInfo{p, info.Size()})
		}
	}
	slices.SortFunc(packs, func(a, b packInfo) int {
		return cmp.Or(cmp.Compare(a.size, b.size), cmp.Compare(a.path, b.path))
	})
	return packs, nil
}

// rollUp says how many of the smallest packs, sizes given in ascending order,
// to combine, so that each pack is afterwards at least twice as large as all
// smaller ones together: an object is then rewritten a number of times that
// grows with the logarithm of the mirror (git repack --geometric).
func rollUp(sizes []int64) int {
	n := 0
	for i := len(sizes) - 1; i > 0; i-- {
		if sizes[i] < 2*sizes[i-1] {
			n = i + 1
			break
		}
	}
	var total int64
	for _, s := range sizes[:n] {
		total += s
	}
	for n < len(sizes) && sizes[n] < 2*total {
		total += sizes[n]
		n++
	}
	return n
}

// objectsOf lists the objects of packs, each once, in the order of the packs.
func objectsOf(packs []packInfo) ([]id, error) {
	var ids []id
	seen := map[id]struct{}{}
	for _, p := range packs {
		index, err := readIndex(idxOf(p.path))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		iter, err := index.EntriesByOffset()
		if err != nil {
			return nil, err
		}
		for {
			e, err := iter.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, err
			}
			if _, ok := seen[e.Hash]; !ok {
				seen[e.Hash] = struct{}{}
				ids = append(ids, e.Hash)
			}
		}
	}
	return ids, nil
}

func readIndex(path string) (*idxfile.MemoryIndex, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	index := idxfile.NewMemoryIndex()
	return index, idxfile.NewDecoder(f).Decode(index)
}

// deletePacks removes packs whose objects keep holds too. While somebody reads
// they stay: twice there does no harm, and the next time is soon.
func (s *store) deletePacks(packs []packInfo, keep string) error {
	if !s.packs.TryLock() {
		return nil
	}
	defer s.packs.Unlock()
	s.changed()
	var err error
	for _, p := range packs {
		if p.path != keep {
			// The pack first: an index alone is not looked at.
			err = errors.Join(err, os.Remove(p.path), os.Remove(idxOf(p.path)))
		}
	}
	return err
}
