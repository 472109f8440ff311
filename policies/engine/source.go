package engine

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Source is a set of policies with the data that they use. It is compiled alone.
type Source struct {
	Name       string         // what people call it: "policy/ of the repository", `policy "org" of the server`
	Dir        string         // what stands before the names of its files in messages, such as "policy"
	Files      fs.FS          // *.rego; and *.json, *.yaml, *.yml, whose objects are merged at the root of data
	Namespaces []string       // the packages whose rules are asked; none: "main"; "*": every package
	V0         bool           // the syntax of Rego before OPA 1.0
	Required   bool           // it is an error if no rule is in it
	Settings   map[string]any // laid over data.settings of its files
}

// namespaces are the packages that have to be there, and whether all packages are asked.
func (s Source) namespaces() (names []string, all bool) {
	for _, name := range s.Namespaces {
		if name == "*" {
			return nil, true
		}
	}
	if len(s.Namespaces) == 0 {
		return []string{"main"}, false
	}
	return s.Namespaces, false
}

// place is the name of a file as messages say it.
func (s Source) place(name string) string { return path.Join(s.Dir, name) }

// maxSource bounds the bytes that are read of a source.
const maxSource = 64 << 20

// text is a file that was read.
type text struct {
	name string // below the source
	body []byte
}

// texts are the files of a source, each kind in the order of names.
type texts struct {
	rego, data           []text
	regoTests, dataTests []text // files whose names end in _test
}

// read reads what a source has. Hidden files and directories are left out, and directories named testdata. What looks
// like a policy and cannot be read is a problem: a policy that is not read must not be taken for one that says nothing.
func (s Source) read() (texts, []Problem) {
	var all texts
	if s.Files == nil {
		return all, []Problem{{Source: s.Name, Message: "it has no files"}}
	}
	var problems []Problem
	size := 0
	fail := func(name string, err error) {
		problems = append(problems, Problem{Source: s.Name, File: s.place(name), Message: err.Error()})
	}
	err := fs.WalkDir(s.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			fail(name, err)
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		base := path.Base(name)
		if name != "." && strings.HasPrefix(base, ".") || d.IsDir() && base == "testdata" {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		if d.Type()&fs.ModeSymlink != 0 {
			// A link to a directory is not followed, and what is behind it would be missing in silence.
			if info, err := fs.Stat(s.Files, name); err != nil || !info.Mode().IsRegular() {
				fail(name, fmt.Errorf("a link that does not lead to a file"))
				return nil
			}
		}
		kind := all.kind(base)
		if kind == nil {
			return nil
		}
		body, err := fs.ReadFile(s.Files, name)
		if err != nil {
			fail(name, err)
			return nil
		}
		if size += len(body); size > maxSource {
			fail(name, fmt.Errorf("policies and data are larger than %d MiB together", maxSource>>20))
			return fs.SkipAll
		}
		*kind = append(*kind, text{name, body})
		return nil
	})
	if err != nil {
		fail(".", err)
	}
	return all, problems
}

// kind says where a file belongs by its name; nil: nowhere.
func (t *texts) kind(base string) *[]text {
	stem, ext := strings.TrimSuffix(base, path.Ext(base)), path.Ext(base)
	test := strings.HasSuffix(stem, "_test")
	switch {
	case ext == ".rego" && test:
		return &t.regoTests
	case ext == ".rego":
		return &t.rego
	case ext != ".json" && ext != ".yaml" && ext != ".yml":
		return nil
	case test:
		return &t.dataTests
	}
	return &t.data
}
