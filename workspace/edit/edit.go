package edit

import (
	"errors"
	"fmt"
	"path"
	"slices"
)

// Source is what a unit is written in. Paths are slash-separated and from the repository's root.
type Source struct {
	// Dir is the root module's directory; "." is the repository's root.
	Dir string
	// Files are those of the root module and of the local modules it calls. Symbolic links are not among them: the caller leaves
	// them out. More files do no harm, and nothing else is edited.
	Files map[string][]byte
	// Own are the directories whose text is this unit's alone: the root module's, unless it has several workspaces or another
	// unit's variables, and those of local modules that no other root module calls. Nothing is edited in another directory.
	Own map[string]bool
}

// Change is one value that is not as its files say, and that a plan would set back.
type Change struct {
	Address string // module.net.aws_instance.web, apps/v1 Deployment web/api
	// Path leads from the resource to the value: names as string, positions as int (or float64, as JSON has them), of objects also
	// Item. See ParsePath.
	Path []any
	Old  any // as it was applied, and as the file should say: nil, bool, float64, json.Number, string, []any, map[string]any
	New  any // as it is
	// Secret is true of a value that must not be shown: it is refused.
	Secret bool
	// Unknown is true where what was applied, or should be, is not known: it is refused.
	Unknown bool
	// Deleted is true where the resource itself is gone.
	Deleted bool
}

// Refusal is a change that was not made, and why: one plain sentence without a value in it.
type Refusal struct {
	Change Change
	Why    string
	File   string // where it stands; "" where it is not known
	Line   int    // 1-based, with the changes before it made; 0 where it is not known
}

// Rewrite writes the new values into the files. It answers with those files that differ now, whole; with the changes that are in
// them; and with the others. A change is made as a whole or not at all. The source's files stay as they are.
func Rewrite(source Source, changes []Change) (edited map[string][]byte, done []Change, refused []Refusal) {
	m := newModules(source)
	return each(changes, m.rewrite, m.replace)
}

// each makes one change after the other: a later one finds what an earlier one left.
func each(changes []Change, rewrite func(Change) (string, []byte, error), replace func(string, []byte)) (edited map[string][]byte, done []Change, refused []Refusal) {
	edited = map[string][]byte{}
	for _, c := range changes {
		file, text, err := rewrite(c)
		if err != nil {
			r := Refusal{Change: c, Why: err.Error()}
			var no *refusal
			if errors.As(err, &no) {
				r.File, r.Line = no.file, no.line
			}
			refused = append(refused, r)
			continue
		}
		replace(file, text)
		edited[file] = text
		done = append(done, c)
	}
	return edited, done, refused
}

// refusal says why a change is not made.
type refusal struct {
	why  string
	file string
	line int
}

func (r *refusal) Error() string { return r.why }

func refuse(format string, args ...any) *refusal { return &refusal{why: fmt.Sprintf(format, args...)} }

// at is the refusal with a place, unless it has one.
func (r *refusal) at(file string, line int) *refusal {
	if r.file == "" {
		r.file, r.line = file, line
	}
	return r
}

// read is what was and what is, of a change that can be made at all.
func (c Change) read() (was, is any, err error) {
	switch {
	case c.Secret:
		return nil, nil, refuse("the value is secret: it is written into no file")
	case c.Unknown:
		return nil, nil, refuse("what it should be is known only after an apply")
	case !c.Deleted && len(c.Path) == 0:
		return nil, nil, refuse("it is not known which value of the resource differs")
	}
	if was, err = treeOf(c.Old); err != nil {
		return nil, nil, err
	}
	is, err = treeOf(c.New)
	return was, is, err
}

// rewrite makes one change and answers with the file's new text.
func (m *modules) rewrite(c Change) (string, []byte, error) {
	was, is, err := c.read()
	if err != nil {
		return "", nil, err
	}
	steps, err := steps(c.Path)
	if err != nil {
		return "", nil, err
	}
	r, err := m.find(c.Address)
	if err != nil {
		return "", nil, err
	}
	if c.Deleted {
		return "", nil, refuse("it was deleted: remove the block, or apply to make it again").at(r.file, r.line())
	}
	if same(was, is) {
		return "", nil, refuse("the live value is the one that was applied").at(r.file, r.line())
	}
	text, no := r.edit(steps, was, is)
	if no != nil {
		return "", nil, no.at(r.file, r.line())
	}
	return r.file, text, nil
}

// steps are a path as the package goes along it: strings and ints.
func steps(all []any) ([]any, error) {
	out := slices.Clone(all)
	for i, s := range out {
		switch s := s.(type) {
		case string:
		case int:
			if s < 0 {
				return nil, refuse("the path to the value has a position below 0")
			}
		case float64:
			n := int(s)
			if float64(n) != s || n < 0 {
				return nil, refuse("the path to the value has %v for a position", s)
			}
			out[i] = n
		default:
			return nil, refuse("the path to the value cannot be read")
		}
	}
	return out, nil
}

func clean(dir string) string { return path.Clean(dir) }
