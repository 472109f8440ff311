package mirror

import (
	"bufio"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// tmpPack begins the names of packs under way; what a crash leaves of them is
// removed by Open. They lie beside the packs and not among them: go-git takes a
// directory out of which a file goes while it is listed for one without packs.
const tmpPack = "tmp_pack_"

func incoming(packDir string) string { return filepath.Join(filepath.Dir(packDir), "incoming") }

// packed says what a new pack holds.
type packed struct {
	path    string
	objects int
	bytes   int64
	index   *idxfile.MemoryIndex
}

// holds fails when one of ids is not in the pack. The index is made from what
// the objects contain: what is missing was not what its name said.
func (p packed) holds(ids []id) error {
	for _, h := range ids {
		if ok, err := p.index.Contains(h); err != nil || !ok {
			return fmt.Errorf("object %s is damaged: its content is another's", h)
		}
	}
	return nil
}

// addPack stores a pack that fill writes: whole, indexed and found good by check
// (which may be nil), or not at all. It
// is on disk (fsync) before its name is, for a torn pack cannot be told from a
// good one later without reading all of it. go-git's own PackfileWriter offers
// neither the sync nor the counts, and leaves its file behind on an error.
func (s *store) addPack(ctx context.Context, fill func(io.Writer) error, check func(packed) error) (packed, error) {
	p, err := writePackFile(ctx, filepath.Join(s.dir, "objects", "pack"), fill, check)
	if p.path != "" {
		s.changed()
	}
	return p, err
}

func writePackFile(ctx context.Context, packDir string, fill func(io.Writer) error, check func(packed) error) (packed, error) {
	tmpDir := incoming(packDir)
	if err := os.MkdirAll(tmpDir, 0o700); err != nil {
		return packed{}, fmt.Errorf("write pack: %w", err)
	}
	f, err := os.CreateTemp(tmpDir, tmpPack)
	if err != nil {
		return packed{}, fmt.Errorf("write pack: %w", err)
	}
	defer func() {
		_ = f.Close()
		_ = os.Remove(f.Name()) // gone already when all went well
	}()
	w := bufio.NewWriterSize(&contextWriter{ctx, f}, 64<<10)
	if err := fill(w); err != nil {
		return packed{}, err
	}
	if err := w.Flush(); err != nil {
		return packed{}, fmt.Errorf("write pack: %w", err)
	}
	p, sum, err := indexPack(f)
	if err != nil || p.objects == 0 {
		return packed{}, err
	}
	if check != nil {
		if err := check(p); err != nil {
			return packed{}, err
		}
	}
	base := filepath.Join(packDir, "pack-"+sum.String())
	if err := writeIndex(tmpDir, base+".idx", p.index); err != nil {
		return packed{}, fmt.Errorf("write pack index: %w", err)
	}
	if err := errors.Join(f.Chmod(0o400), f.Sync()); err != nil {
		return packed{}, fmt.Errorf("write pack: %w", err)
	}
	// The index is in place first: a pack counts from the moment it has its name.
	if err := os.Rename(f.Name(), base+".pack"); err != nil {
		return packed{}, fmt.Errorf("write pack: %w", err)
	}
	p.path = base + ".pack"
	return p, syncDir(packDir)
}

// indexPack reads the pack in f from its start.
func indexPack(f *os.File) (packed, id, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return packed{}, id{}, fmt.Errorf("read pack: %w", err)
	}
	var iw idxfile.Writer
	parser, err := packfile.NewParser(packfile.NewScanner(f), &iw)
	if err != nil {
		return packed{}, id{}, fmt.Errorf("read pack: %w", err)
	}
	sum, err := parser.Parse()
	if errors.Is(err, packfile.ErrEmptyPackfile) {
		return packed{}, id{}, nil
	}
	if err != nil {
		return packed{}, id{}, fmt.Errorf("read pack: %w", err)
	}
	index, err := iw.Index()
	if err != nil {
		return packed{}, id{}, fmt.Errorf("index pack: %w", err)
	}
	n, err := index.Count()
	return packed{objects: int(n), bytes: size, index: index}, sum, err
}

func writeIndex(tmpDir, path string, index *idxfile.MemoryIndex) (err error) {
	f, err := os.CreateTemp(tmpDir, tmpPack)
	if err != nil {
		return err
	}
	defer func() {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}()
	w := bufio.NewWriterSize(f, 64<<10)
	if _, err := idxfile.NewEncoder(w).Encode(index); err != nil {
		return err
	}
	if err := errors.Join(w.Flush(), f.Chmod(0o400), f.Sync()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}

// removeTmpPacks removes what is left of packs under way; among the packs an
// earlier Mooring wrote them.
func removeTmpPacks(dir string) (err error) {
	packDir := filepath.Join(dir, "objects", "pack")
	for _, in := range []string{incoming(packDir), packDir} {
		entries, failed := os.ReadDir(in)
		if failed != nil && !errors.Is(failed, os.ErrNotExist) {
			err = errors.Join(err, failed)
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), tmpPack) {
				err = errors.Join(err, os.Remove(filepath.Join(in, e.Name())))
			}
		}
	}
	return err
}

// contextWriter ends a copy that nobody waits for any more.
type contextWriter struct {
	ctx context.Context
	w   io.Writer
}

func (c *contextWriter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.w.Write(p)
}

// writePack writes the objects named by ids, each read through open, as a pack
// without deltas. One object is in memory at a time, large ones in part.
// Format: gitformat-pack(5), version 2.
func writePack(w io.Writer, ids []id, open func(id) (plumbing.EncodedObject, error)) error {
	sum := sha1.New()
	p := packEncoder{w: io.MultiWriter(w, sum), sum: sum}
	p.zip, _ = zlib.NewWriterLevel(nil, zlib.BestSpeed) // fails on unknown levels only
	head := append([]byte("PACK"), 0, 0, 0, 2)
	head = binary.BigEndian.AppendUint32(head, uint32(len(ids)))
	if _, err := p.w.Write(head); err != nil {
		return err
	}
	for _, h := range ids {
		obj, err := open(h)
		if err != nil {
			return fmt.Errorf("read object %s: %w", h, err)
		}
		if err := p.put(obj); err != nil {
			return fmt.Errorf("pack object %s: %w", h, err)
		}
	}
	_, err := w.Write(sum.Sum(nil))
	return err
}

type packEncoder struct {
	w   io.Writer
	sum hash.Hash
	zip *zlib.Writer
}

func (p *packEncoder) put(obj plumbing.EncodedObject) error {
	if _, err := p.w.Write(objectHeader(obj.Type(), obj.Size())); err != nil {
		return err
	}
	r, err := obj.Reader()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	p.zip.Reset(p.w)
	n, err := io.Copy(p.zip, r)
	if err != nil {
		return err
	}
	if n != obj.Size() {
		return fmt.Errorf("%d bytes where %d were announced", n, obj.Size())
	}
	return p.zip.Close()
}

// objectHeader: three bits of type, then the size in groups of 4, 7, 7… bits.
func objectHeader(t plumbing.ObjectType, size int64) []byte {
	c := byte(t)<<4 | byte(size&15)
	size >>= 4
	var head []byte
	for size > 0 {
		head = append(head, c|0x80)
		c = byte(size & 0x7f)
		size >>= 7
	}
	return append(head, c)
}
