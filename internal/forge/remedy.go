package forge

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// Issue is one issue of ours, as the forge has it now.
type Issue struct {
	Number int
	Title  string
	Body   string
	Labels []string
	URL    string // its page
	State  State  // Open or Closed
	Author User
}

// BranchPrefix begins the names of all branches that Mooring writes. It touches no other branch.
const BranchPrefix = "mooring/drift/"

// Branch is a branch of ours with one commit on top of a base.
type Branch struct {
	Name    string            // begins with BranchPrefix
	Base    string            // the commit that the files were read at
	BaseRef string            // the branch that it is on, and that the change is for
	Files   map[string][]byte // path from the repository's root → its new content; each is there at Base
	Message string
	Author  Signature // the zero value is the token's account
}

// Signature is who wrote a commit.
type Signature struct{ Name, Email string }

// Pull is a pull request to open.
type Pull struct {
	Head   string // branch name, which begins with BranchPrefix
	Base   string // branch name
	Title  string
	Body   string
	Labels []string
}

// longestTitle is what every forge takes.
const longestTitle = 255

func (b Branch) check() error {
	switch {
	case !ours(b.Name):
		return fmt.Errorf("%w: branch %q is none of ours", ErrRefused, b.Name)
	case whole(b.Base) != nil:
		return whole(b.Base)
	case b.BaseRef == "":
		return errors.New("the branch to base it on is not named")
	case len(b.Files) == 0:
		return errors.New("there are no files")
	case strings.TrimSpace(b.Message) == "":
		return errors.New("the commit has no message")
	case (b.Author.Name == "") != (b.Author.Email == ""):
		return errors.New("an author has a name and an address")
	}
	for file := range b.Files {
		if !sound(file) {
			return fmt.Errorf("%w: %q is no path of a file", ErrRefused, file)
		}
	}
	return nil
}

// sound is true of a path that leads to a file of the repository and not into git's own.
func sound(file string) bool {
	if file == "" || file == "." || path.Clean(file) != file || path.IsAbs(file) || strings.ContainsAny(file, "\\\x00\n") {
		return false
	}
	for part := range strings.SplitSeq(file, "/") {
		if part == ".." || strings.EqualFold(part, ".git") {
			return false
		}
	}
	return true
}

// ours is true of a branch that Mooring may write.
func ours(branch string) bool {
	rest, ok := strings.CutPrefix(branch, BranchPrefix)
	if !ok || rest == "" || len(branch) > 200 {
		return false
	}
	for part := range strings.SplitSeq(rest, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasPrefix(part, "-") || strings.HasSuffix(part, ".") || strings.HasSuffix(part, ".lock") || strings.Contains(part, "..") {
			return false
		}
	}
	return strings.Trim(strings.ToLower(rest), "abcdefghijklmnopqrstuvwxyz0123456789._-/") == ""
}
