package terraform

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// Inputs is a digest of the files of the checkout that Terraform reads: the root module, the local modules it reaches, var files, files of
// backend configuration and whatever else Spec.Files names. It is of what lies on disk now, so that a checkout that somebody changed after a
// review is not taken for what was reviewed.
func (s *Session) Inputs() (string, error) {
	names := slices.Concat([]string{s.dir}, s.spec.ModuleDirs, s.spec.VarFiles, s.spec.BackendFiles, s.spec.Files)
	slices.Sort(names)
	sum := sha256.New()
	seen := map[string]bool{}
	for _, name := range slices.Compact(names) {
		if err := s.digestTree(sum, seen, name); err != nil {
			return "", fmt.Errorf("read the files of %s: %w", s.spec.Key, err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func (s *Session) digestTree(into io.Writer, seen map[string]bool, name string) error {
	root := filepath.Join(s.spec.Tree, filepath.FromSlash(name))
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(s.spec.Tree, file)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if s.unread(rel, entry) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if seen[rel] || entry.IsDir() {
			return nil
		}
		seen[rel] = true
		if entry.Type()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(file)
			fmt.Fprintf(into, "link %q %q\n", rel, target)
			return err
		}
		digest, err := fileDigest(file)
		fmt.Fprintf(into, "file %q %s\n", rel, digest)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(into, "none %q\n", name)
		return nil
	}
	return err
}

func (s *Session) unread(rel string, entry fs.DirEntry) bool {
	base := path.Base(rel)
	return base == ".git" || base == ".terraform" || s.spec.Skip != nil && s.spec.Skip(rel) || !entry.IsDir() && !entry.Type().IsRegular() && entry.Type()&fs.ModeSymlink == 0
}
