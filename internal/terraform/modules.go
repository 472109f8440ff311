package terraform

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Terraform notes in .terraform/modules/modules.json where each module lies, links followed, and trusts that note until the next init.
// A module that nobody named in Spec.ModuleDirs is a link into a checkout, so the note would name that checkout for good: the next
// commit would run with the old module. So after init the notes are read, and a directory they find in the checkout becomes real.

// learnedFile lists the directories found that way, so that the next view has them from the start.
func (s *Session) learnedFile() string { return filepath.Join(s.view.home, "modules.json") }

func (s *Session) addLearnedModules() {
	var dirs []string
	if data, err := os.ReadFile(s.learnedFile()); err != nil || json.Unmarshal(data, &dirs) != nil {
		return
	}
	for _, dir := range dirs {
		real, err := resolve(s.spec.Tree, dir)
		if err != nil {
			continue
		}
		if info, err := os.Stat(filepath.Join(s.spec.Tree, filepath.FromSlash(real))); err == nil && info.IsDir() {
			s.view.addModule(real)
		}
	}
}

// learnModules tells whether init found modules in the checkout; the view then has them as real directories and init must run again.
func (s *Session) learnModules() (bool, error) {
	found, err := s.modulesInCheckout()
	if err != nil || len(found) == 0 {
		return false, err
	}
	for _, dir := range found {
		s.view.addModule(dir)
	}
	known := make([]string, 0, len(s.view.copy))
	for dir := range s.view.copy {
		known = append(known, dir)
	}
	slices.Sort(known)
	if err := writeJSON(s.learnedFile(), known); err != nil {
		return false, err
	}
	if err := s.view.make(); err != nil {
		return false, err
	}
	s.note("local modules that were not expected: %s", strings.Join(found, ", "))
	return true, nil
}

// modulesInCheckout lists the repository paths of modules that init found outside the view.
func (s *Session) modulesInCheckout() ([]string, error) {
	data, err := readRegular(filepath.Join(s.initDir(), "modules", "modules.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var notes struct {
		Modules []struct {
			Key string `json:"Key"`
			Dir string `json:"Dir"`
		} `json:"Modules"`
	}
	if err == nil {
		err = json.Unmarshal(data, &notes)
	}
	tree, treeErr := filepath.EvalSymlinks(s.spec.Tree)
	if err = errors.Join(err, treeErr); err != nil {
		return nil, fmt.Errorf("read the modules of %s: %w", s.spec.Key, err)
	}
	var found []string
	for _, module := range notes.Modules {
		dir := module.Dir
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(s.view.path(s.dir), dir)
		}
		real, err := filepath.EvalSymlinks(dir)
		if err != nil {
			return nil, fmt.Errorf("find module %s of %s: %w", module.Key, s.spec.Key, err)
		}
		if rel, err := filepath.Rel(tree, real); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			found = append(found, filepath.ToSlash(rel))
		}
	}
	return found, nil
}
