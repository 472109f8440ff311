package workspace

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// memTree is a tree made of a txtar archive. A file whose only line is "-> target"
// is a symbolic link.
type memTree struct {
	files map[string]string
	links map[string]string
	reads int // calls of ReadFile
}

func treeOf(archive string) *memTree {
	t := &memTree{files: map[string]string{}, links: map[string]string{}}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		t.set(f.Name, string(f.Data))
	}
	return t
}

func (t *memTree) set(name, data string) *memTree {
	delete(t.links, name)
	delete(t.files, name)
	if target, ok := strings.CutPrefix(strings.TrimSpace(data), "-> "); ok && !strings.Contains(strings.TrimSpace(data), "\n") {
		t.links[name] = target
	} else {
		t.files[name] = data
	}
	return t
}

// with answers a copy that differs by the archive's files; an empty one is deleted.
func (t *memTree) with(archive string) *memTree {
	c := &memTree{files: map[string]string{}, links: map[string]string{}}
	for name, data := range t.files {
		c.files[name] = data
	}
	for name, target := range t.links {
		c.links[name] = target
	}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		if len(f.Data) == 0 {
			delete(c.files, f.Name)
			delete(c.links, f.Name)
			continue
		}
		c.set(f.Name, string(f.Data))
	}
	return c
}

func (t *memTree) Walk(fn func(string, fs.FileMode, string) error) error {
	var names []string
	for name := range t.files {
		names = append(names, name)
	}
	for name := range t.links {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		mode, content := fs.FileMode(0o644), t.files[name]
		if target, ok := t.links[name]; ok {
			mode, content = fs.ModeSymlink|0o777, target
		}
		sum := sha1.Sum([]byte(content))
		if err := fn(name, mode, hex.EncodeToString(sum[:])); err != nil {
			return err
		}
	}
	return nil
}

func (t *memTree) ReadFile(name string) ([]byte, error) {
	t.reads++
	data, ok := t.files[name]
	if !ok {
		return nil, fmt.Errorf("read %s: %w", name, fs.ErrNotExist)
	}
	return []byte(data), nil
}

func (t *memTree) ReadLink(name string) (string, error) {
	target, ok := t.links[name]
	if !ok {
		return "", fmt.Errorf("read link %s: %w", name, fs.ErrNotExist)
	}
	return target, nil
}

func scanTree(t *testing.T, tree Tree) *Graph {
	t.Helper()
	g, err := NewScanner(ScannerOptions{}).Scan(context.Background(), tree)
	if err != nil {
		var broken *ConfigError
		if errors.As(err, &broken) {
			var b strings.Builder
			_ = broken.Print(&b, 0, false)
			t.Fatalf("scan:\n%s", b.String())
		}
		t.Fatalf("scan: %v", err)
	}
	return g
}

func scanArchive(t *testing.T, archive string) *Graph {
	t.Helper()
	return scanTree(t, treeOf(archive))
}

// unitIDs joins the ids of all units.
func unitIDs(g *Graph) string {
	var ids []string
	for _, u := range g.Units {
		ids = append(ids, u.ID)
	}
	return strings.Join(ids, " ")
}

// edges writes a graph's edges as "from>to why" lines.
func edges(g *Graph) string {
	var out []string
	for _, e := range g.Edges {
		out = append(out, e.From+">"+e.To+" "+e.Why)
	}
	return strings.Join(out, "\n")
}

func warnings(g *Graph) string {
	var out []string
	for _, w := range g.Warnings {
		out = append(out, w.String())
	}
	return strings.Join(out, "\n")
}

func join(list []string) string { return strings.Join(list, " ") }

// noWarnings fails with the warnings there are.
func noWarnings(t *testing.T, g *Graph) {
	t.Helper()
	if len(g.Warnings) > 0 {
		t.Errorf("warnings:\n%s", warnings(g))
	}
}
