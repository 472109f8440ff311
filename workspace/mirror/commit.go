package mirror

import (
	"fmt"
	"strings"
	"time"
)

// Commit is what a report says of a commit.
type Commit struct {
	Hash    string
	Subject string    // the first line of the message
	Author  string    // name <email>
	When    time.Time // when it was committed (not authored), in the committer's zone
	Parents []string  // full hashes
}

// Commit reads a commit. ErrUnknownCommit when the mirror does not hold it.
func (m *Mirror) Commit(hash string) (Commit, error) {
	h, err := parseID(hash)
	if err != nil {
		return Commit{}, err
	}
	var out Commit
	err = m.read(func(r *reader) error {
		c, err := r.commit(h)
		if err != nil {
			return err
		}
		subject, _, _ := strings.Cut(strings.TrimLeft(c.Message, "\n"), "\n")
		out = Commit{
			Hash:    h.String(),
			Subject: strings.TrimSpace(subject),
			Author:  fmt.Sprintf("%s <%s>", c.Author.Name, c.Author.Email),
			When:    c.Committer.When,
		}
		for _, p := range c.ParentHashes {
			out.Parents = append(out.Parents, p.String())
		}
		return nil
	})
	return out, err
}

// Has says whether the mirror holds a commit.
func (m *Mirror) Has(hash string) bool {
	h, err := parseID(hash)
	if err != nil {
		return false
	}
	found := false
	err = m.read(func(r *reader) error {
		found = r.has(h)
		return nil
	})
	return err == nil && found
}

// treeOf returns the root tree of a commit.
func (r *reader) treeOf(hash string) (id, error) {
	h, err := parseID(hash)
	if err != nil {
		return id{}, err
	}
	c, err := r.commit(h)
	if err != nil {
		return id{}, err
	}
	return c.TreeHash, nil
}

// Changes is the change set of two commits: the paths that differ in content,
// mode or kind, sorted; a renamed file is there twice, with its old and its new
// path. from == "" means every path of to. ErrUnknownCommit when the mirror
// lacks one of them.
func (m *Mirror) Changes(from, to string) ([]string, error) {
	var paths []string
	err := m.read(func(r *reader) error {
		var a id
		var err error
		if from != "" {
			if a, err = r.treeOf(from); err != nil {
				return err
			}
		}
		b, err := r.treeOf(to)
		if err != nil {
			return err
		}
		paths, err = changedPaths(r.tree, a, b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("change set of %s: %w", to, err)
	}
	return paths, nil
}
