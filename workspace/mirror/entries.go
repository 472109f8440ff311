package mirror

import (
	"bytes"
	"fmt"
	"sort"

	"github.com/go-git/go-git/v5/plumbing"
)

// id is the hash of a Git object. The zero id stands for "nothing there".
type id = plumbing.Hash

// kind is what a tree entry is. The zero kind stands for "nothing there".
type kind uint8

const (
	kindFile kind = iota + 1
	kindExec
	kindLink
	kindModule  // a submodule: a commit of another repository
	kindTree    // a directory
	kindOmitted // a directory that is left out of every listing and checkout
)

// entry is one name in one tree.
type entry struct {
	name string
	kind kind
	id   id
}

// lessEntry orders entries as Git does: a directory sorts as if its name ended
// in a slash, so that walking trees yields full paths in byte order.
func lessEntry(a, b entry) bool { return compareEntries(a, b) < 0 }

func compareEntries(a, b entry) int {
	n := min(len(a.name), len(b.name))
	for i := range n {
		if a.name[i] != b.name[i] {
			return int(a.name[i]) - int(b.name[i])
		}
	}
	return int(after(a, n)) - int(after(b, n))
}

// after is the byte of e's key at position n ≤ len(name), 0 past its end.
func after(e entry, n int) byte {
	switch {
	case n < len(e.name):
		return e.name[n]
	case e.kind == kindTree:
		return '/'
	}
	return 0
}

// parseTree decodes a tree object. It is strict: entries out of order, names
// that occur twice and unknown modes are errors, for a tree that breaks these
// rules was made to confuse its readers.
func parseTree(raw []byte) ([]entry, error) {
	text := string(raw) // names share this one allocation
	entries := make([]entry, 0, bytes.Count(raw, []byte{0})/2+1)
	for i := 0; i < len(raw); {
		sp := bytes.IndexByte(raw[i:], ' ')
		if sp < 1 || sp > 6 {
			return nil, fmt.Errorf("malformed tree: no mode at byte %d", i)
		}
		nul := bytes.IndexByte(raw[i+sp:], 0)
		if nul < 0 || i+sp+nul+1+len(id{}) > len(raw) {
			return nil, fmt.Errorf("malformed tree: cut off at byte %d", i)
		}
		e := entry{name: text[i+sp+1 : i+sp+nul]}
		var err error
		if e.kind, err = parseMode(text[i : i+sp]); err != nil {
			return nil, fmt.Errorf("malformed tree: %q: %w", e.name, err)
		}
		i += sp + nul + 1
		copy(e.id[:], raw[i:])
		i += len(e.id)
		if n := len(entries); n > 0 && !lessEntry(entries[n-1], e) {
			return nil, fmt.Errorf("malformed tree: %q is out of order or occurs twice", e.name)
		}
		if e.kind == kindTree && holdsFile(entries, e.name) {
			return nil, fmt.Errorf("malformed tree: %q occurs twice", e.name)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// holdsFile says whether a file of that name stands in sorted entries. A file
// and a directory of one name have different keys, so order alone allows both.
func holdsFile(entries []entry, name string) bool {
	want := entry{name: name, kind: kindFile}
	i := sort.Search(len(entries), func(i int) bool { return !lessEntry(entries[i], want) })
	return i < len(entries) && entries[i].name == name
}

// formatTree is the reverse of parseTree.
func formatTree(entries []entry) []byte {
	var raw []byte
	for _, e := range entries {
		raw = append(raw, e.kind.mode()...)
		raw = append(raw, ' ')
		raw = append(raw, e.name...)
		raw = append(raw, 0)
		raw = append(raw, e.id[:]...)
	}
	return raw
}

func (k kind) mode() string {
	switch k {
	case kindExec:
		return "100755"
	case kindLink:
		return "120000"
	case kindModule:
		return "160000"
	case kindTree:
		return "40000"
	}
	return "100644"
}

func parseMode(octal string) (kind, error) {
	var mode uint32
	for _, c := range []byte(octal) {
		if c < '0' || c > '7' {
			return 0, fmt.Errorf("mode %q is not octal", octal)
		}
		mode = mode<<3 | uint32(c-'0')
	}
	switch mode & 0o170000 {
	case 0o040000:
		return kindTree, nil
	case 0o120000:
		return kindLink, nil
	case 0o160000:
		return kindModule, nil
	case 0o100000:
		if mode&0o100 != 0 {
			return kindExec, nil
		}
		return kindFile, nil
	}
	return 0, fmt.Errorf("unknown mode %s", octal)
}
