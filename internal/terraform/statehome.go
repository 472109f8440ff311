package terraform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// stateHome knows where the state files of one workspace live that would lie in the checkout.
type stateHome struct {
	dir       string            // data_dir/state/<repository>
	recipient string            // whom a state is sealed for that lies where Terraform does not look
	files     []string          // repository paths of own state files
	dirs      []string          // repository paths of own workspace directories
	read      []string          // repository paths that only terraform_remote_state reads
	workspace string            // absolute directory of the Terraform workspace's state; "" for the default one
	current   string            // absolute path of the state file of the workspace to run; "" when the backend is not local
	notes     []string          // what a person should know
	viewLinks map[string]string // repository path → target, for the view

	// Absolute directories of own state, and absolute files and directories that terraform_remote_state reads.
	absolute, absoluteRead []string
}

// place maps a path as configured (relative to the root module) to a repository path.
func placeState(dir, configured string) (string, error) {
	name, ok := inRepository(dir, filepath.ToSlash(configured))
	if !ok {
		return "", fmt.Errorf("state path %q of %s: %w; use an absolute path or one inside the repository", configured, dir, ErrOutside)
	}
	return name, nil
}

// findState decides which paths of the view lead to the state home, without touching the disk. What has to be put aside is sealed for the recipient.
func findState(spec Spec, dir, home, recipient string) (*stateHome, error) {
	s := &stateHome{dir: home, recipient: recipient, viewLinks: map[string]string{}}
	if spec.localBackend() {
		file, folder := spec.StatePath, spec.WorkspaceDir
		if file == "" {
			file = "terraform.tfstate"
		}
		if folder == "" {
			// Used even when the path is absolute: Terraform derives it from the working directory alone.
			folder = "terraform.tfstate.d"
		}
		defaultFile, err := s.own(dir, file, &s.files)
		if err != nil {
			return nil, err
		}
		s.current = defaultFile
		if name := spec.workspaceName(); name != "default" {
			workspaceDir, err := s.own(dir, folder, &s.dirs)
			if err != nil {
				return nil, err
			}
			s.workspace = filepath.Join(workspaceDir, name)
			s.current = filepath.Join(s.workspace, "terraform.tfstate")
		}
	}
	for _, configured := range spec.RemoteStatePaths {
		if filepath.IsAbs(configured) {
			s.absoluteRead = append(s.absoluteRead, filepath.Clean(configured))
			continue
		}
		name, err := placeState(dir, configured)
		if err != nil {
			return nil, err
		}
		// Its own is there already, as a file or in a directory of its own, and to be written.
		own := slices.ContainsFunc(s.dirs, func(dir string) bool { return within(name, dir) })
		if s.viewLinks[name] == "" && !own {
			s.read = append(s.read, name)
		}
	}
	return s, nil
}

// own registers one own path and returns where it lives on disk.
func (s *stateHome) own(dir, configured string, list *[]string) (string, error) {
	if filepath.IsAbs(configured) {
		clean := filepath.Clean(configured)
		if list == &s.files {
			s.absolute = append(s.absolute, filepath.Dir(clean))
		}
		return clean, nil
	}
	name, err := placeState(dir, configured)
	if err != nil {
		return "", err
	}
	*list = append(*list, name)
	target := s.path(name)
	s.viewLinks[name] = target
	if list == &s.files {
		s.viewLinks[name+".backup"] = target + ".backup"
	}
	return target, nil
}

func (s *stateHome) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

// prepare makes the files and directories that the view links to, and takes in what lies in the view or the tree.
//
// The state file must exist, if only empty, before Terraform runs: for its lock Terraform creates a missing state file and removes it
// again, and what it removes then is our link; the next write would go into the view and be lost with it.
func (s *stateHome) prepare(v *view) error {
	if err := s.bringHome(v); err != nil {
		return err
	}
	for _, name := range s.files {
		if err := s.seed(v, name); err != nil {
			return err
		}
	}
	for _, name := range s.dirs {
		if err := s.seedDir(v, name); err != nil {
			return err
		}
	}
	for _, name := range s.read {
		s.linkForeign(v, name)
	}
	for name, target := range s.viewLinks {
		v.addLink(name, target)
	}
	return s.makeShown()
}

// makeShown makes what is shown to a confined Terraform one by one, so that it must be there before: it cannot make a file beside.
func (s *stateHome) makeShown() error {
	for _, name := range s.files {
		file, err := os.OpenFile(s.path(name)+".backup", os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			err = file.Close()
		}
		if err != nil {
			return fmt.Errorf("make the backup of a state file: %w", err)
		}
	}
	for _, dir := range s.absolute {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make state directory: %w", err)
		}
	}
	if s.workspace == "" {
		return nil
	}
	if _, err := os.Stat(s.workspace); errors.Is(err, fs.ErrNotExist) {
		s.notes = append(s.notes, fmt.Sprintf("made Terraform workspace %q", filepath.Base(s.workspace)))
	}
	if err := os.MkdirAll(s.workspace, 0o700); err != nil {
		return fmt.Errorf("make state directory: %w", err)
	}
	return nil
}

// bringHome rescues every own state that lies in the view.
func (s *stateHome) bringHome(v *view) error {
	var errs []error
	for _, name := range s.files {
		errs = append(errs, s.rescue(v.path(name), s.path(name)))
	}
	for _, name := range s.dirs {
		errs = append(errs, s.rescueDir(v.path(name), name))
	}
	return errors.Join(errs...)
}

// hide takes the links to own state out of the view until show.
func (s *stateHome) hide(v *view) error {
	var errs []error
	for name, target := range s.viewLinks {
		if now, err := os.Readlink(v.path(name)); err == nil && now == target {
			errs = append(errs, os.Remove(v.path(name)))
		}
	}
	return errors.Join(errs...)
}

// show puts the links back, whatever a command made of them.
func (s *stateHome) show(v *view) error {
	if err := s.bringHome(v); err != nil {
		return err // what lies there must not be replaced
	}
	var errs []error
	for name, target := range s.viewLinks {
		errs = append(errs, ensureLink(v.path(name), target))
	}
	return errors.Join(errs...)
}

// linkForeign lets the state home win over a file in the tree, but only when there is one.
func (s *stateHome) linkForeign(v *view, name string) {
	if _, err := os.Stat(filepath.Join(v.tree, filepath.FromSlash(name))); err == nil {
		info, err := os.Stat(s.path(name))
		if err != nil || !info.IsDir() && info.Size() == 0 {
			return
		}
	}
	v.addLink(name, s.path(name))
}

// seed takes a state file that is committed into a home that has none yet. Later commits of it change nothing.
func (s *stateHome) seed(v *view, name string) error {
	target := s.path(name)
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return fmt.Errorf("make state directory: %w", err)
	}
	if info, err := os.Stat(target); err == nil && info.Size() > 0 {
		return nil
	}
	source := filepath.Join(v.tree, filepath.FromSlash(name))
	backup, backupErr := os.Stat(target + ".backup")
	if backupErr == nil && backup.Size() == 0 {
		backupErr = fs.ErrNotExist // made to be shown, and never written
	}
	data, err := os.ReadFile(source)
	if err != nil || len(data) == 0 || backupErr == nil || v.skip != nil && v.skip(name) {
		file, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("make state file: %w", err)
		}
		return file.Close()
	}
	if err := writeFile(target, data, 0o600); err != nil {
		return fmt.Errorf("take committed state: %w", err)
	}
	s.notes = append(s.notes, fmt.Sprintf("state file %s is committed in Git; taken over once, it now lives in %s and the committed one is no longer read", name, target))
	return nil
}

func (s *stateHome) seedDir(v *view, name string) error {
	if err := os.MkdirAll(s.path(name), 0o700); err != nil {
		return fmt.Errorf("make state directory: %w", err)
	}
	entries, err := os.ReadDir(filepath.Join(v.tree, filepath.FromSlash(name)))
	if err != nil {
		return nil // not committed
	}
	for _, entry := range entries {
		file := path.Join(name, entry.Name(), "terraform.tfstate")
		if info, err := os.Lstat(filepath.Join(v.tree, filepath.FromSlash(file))); err == nil && info.Mode().IsRegular() {
			if err := s.seed(v, file); err != nil {
				return err
			}
		}
	}
	return nil
}

// rescue brings a state file home that a run left in the view, which happens when something replaced our link. It never overwrites a
// state that may be newer or another one: that is a person's decision.
func (s *stateHome) rescue(from, to string) error {
	info, err := os.Lstat(from)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for state in the view: %w", err)
	}
	left, err := readRegular(from)
	if err != nil {
		return fmt.Errorf("look for state in the view: %w", err)
	}
	if len(left) == 0 {
		return os.Remove(from)
	}
	kept, err := readRegular(to)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read state: %w", err)
	}
	if !follows(left, kept) {
		aside := fmt.Sprintf("%s.conflict-%d.age", to, time.Now().UnixNano())
		var sealed bytes.Buffer
		if err := sealInto(&sealed, bytes.NewReader(left), s.recipient); err != nil {
			return fmt.Errorf("keep conflicting state: %w", err)
		}
		if err := writeDurable(aside, sealed.Bytes()); err != nil {
			return fmt.Errorf("keep conflicting state: %w", err)
		}
		s.notes = append(s.notes, fmt.Sprintf("a state file left in the view does not continue %s; kept sealed as %s, for `age -d -i mooring.key` to read", to, aside))
		return os.Remove(from)
	}
	if err := writeFile(to, left, 0o600); err != nil {
		return fmt.Errorf("bring state home: %w", err)
	}
	return os.Remove(from)
}

func (s *stateHome) rescueDir(from, name string) error {
	info, err := os.Lstat(from)
	if err != nil || !info.IsDir() {
		return nil
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return fmt.Errorf("look for state in the view: %w", err)
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue // a link leads to a state that is not this workspace's
		}
		file := path.Join(entry.Name(), "terraform.tfstate")
		if err := s.rescue(filepath.Join(from, file), s.path(path.Join(name, file))); err != nil {
			return err
		}
	}
	return nil
}

// follows tells whether next may replace last: last is empty, or the same state at the same or a later serial.
func follows(next, last []byte) bool {
	if len(strings.TrimSpace(string(last))) == 0 {
		return true
	}
	var a, b struct {
		Lineage string `json:"lineage"`
		Serial  uint64 `json:"serial"`
	}
	if json.Unmarshal(next, &a) != nil || json.Unmarshal(last, &b) != nil {
		return false
	}
	return a.Lineage == b.Lineage && a.Serial >= b.Serial
}
