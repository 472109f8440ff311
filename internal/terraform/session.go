package terraform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// Session is one workspace ready to run. Its verbs run one at a time; it is not for concurrent use.
type Session struct {
	home  *Home
	spec  Spec
	name  string // directory name of the workspace
	dir   string // the root module, links followed
	view  *view
	state *stateHome

	run      string // private directory: variables
	runLock  *os.File
	tmp      string // TMPDIR and HOME
	varFile  string // "" when there are no variables
	backend  string // file of backend values, "" when there are none
	isShim   bool
	tf       *tfexec.Terraform
	initHash string
	ready    bool // Init succeeded
	closed   bool
	notes    []string
	plans    []string // files to remove on Close
}

// Open makes the view of a workspace and the files that are private to this run. Close it on every path. Errors: ErrInUse,
// ErrRemoteExecution, ErrOutside, a missing var file.
func (h *Home) Open(ctx context.Context, spec Spec) (_ *Session, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("prepare %s: %w", spec.Key, err)
		}
	}()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := spec.check(); err != nil {
		return nil, err
	}
	s := &Session{home: h, spec: spec, name: hashName(spec.Key, spec.Repository, spec.Key)}
	if err := h.enter(s.name); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := s.makeView(); err != nil {
		return nil, err
	}
	if err := s.makePrivate(); err != nil {
		return nil, err
	}
	executable, isShim, err := h.shim(spec.Tool)
	if err != nil {
		return nil, err
	}
	s.isShim = isShim
	if s.initHash, err = s.hashInit(); err != nil {
		return nil, err
	}
	s.tf, err = tfexec.NewTerraform(s.view.path(s.dir), executable)
	if err != nil {
		return nil, err
	}
	if err := s.tf.SetWaitDelay(h.opts.Grace); err != nil {
		return nil, err
	}
	// Terraform talks to a provider over a unix socket in TMPDIR, which is private to this run and 0700. TLS on top of it, with keys made
	// anew for each of the many times a provider starts, costs more than all else in a small plan: 0.50 s of CPU against 0.21 s with three
	// providers. Windows has no such socket.
	if err := s.tf.SetDisablePluginTLS(runtime.GOOS != "windows" && !h.opts.PluginTLS); err != nil {
		return nil, err
	}
	return s, s.askVersion(ctx)
}

// askVersion has terraform-exec ask now what it would ask in the middle of a command, with the answer in that command's output.
func (s *Session) askVersion(ctx context.Context) error {
	return s.query(ctx, "version", func(ctx context.Context) error {
		_, _, err := s.tf.Version(ctx, false)
		return err
	})
}

func (s *Session) makeView() error {
	dir, err := resolve(s.spec.Tree, path.Clean(s.spec.Dir))
	if err != nil {
		return err
	}
	s.dir = dir
	if info, err := os.Stat(filepath.Join(s.spec.Tree, filepath.FromSlash(dir))); err != nil || !info.IsDir() {
		return fmt.Errorf("no directory %s in the checkout", s.spec.Dir)
	}
	s.view = newView(filepath.Join(s.home.views, s.name), s.spec.Tree)
	s.view.farm, s.view.skip, s.view.keep = s.home.links, s.spec.Skip, s.spec.KeepGenerated
	s.view.addModule(dir)
	for _, module := range s.spec.ModuleDirs {
		module, err := resolve(s.spec.Tree, path.Clean(module))
		if err != nil {
			return err
		}
		s.view.addModule(module)
	}
	s.addLearnedModules()
	s.view.own[path.Join(dir, ".terraform")] = true
	s.view.own[path.Join(dir, lockFileName)] = true
	if s.state, err = findState(s.spec, dir, s.home.StateDir(s.spec.Repository)); err != nil {
		return err
	}
	if err := s.keepErrored(); err != nil {
		return err
	}
	if err := s.state.prepare(s.view); err != nil {
		return err
	}
	if err := s.view.make(); err != nil {
		return fmt.Errorf("make view: %w", err)
	}
	if err := s.placeLockFile(); err != nil {
		return err
	}
	return s.checkFiles()
}

// checkFiles says that a var file is missing before Terraform says it in the middle of its output.
func (s *Session) checkFiles() error {
	for _, name := range slices.Concat(s.spec.VarFiles, s.spec.BackendFiles) {
		if info, err := os.Stat(s.view.path(name)); err != nil || info.IsDir() {
			return fmt.Errorf("no file %s in the checkout", name)
		}
	}
	return nil
}

func (s *Session) makePrivate() (err error) {
	if s.run, s.runLock, err = s.home.newRun(); err != nil {
		return err
	}
	s.tmp = filepath.Join(s.run, "tmp")
	// Providers listen on a unix socket in TMPDIR, whose whole path has room for 107 bytes.
	if len(s.tmp) > 75 {
		if s.tmp, err = os.MkdirTemp("", "mooring-"); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(s.tmp, 0o700); err != nil {
		return err
	}
	if len(s.spec.Variables) > 0 {
		values := map[string]json.RawMessage{}
		for name, value := range s.spec.Variables {
			values[name] = value.JSON
		}
		s.varFile = filepath.Join(s.run, "variables.tfvars.json")
		if err := writeJSON(s.varFile, values); err != nil {
			return err
		}
	}
	if len(s.spec.BackendValues) > 0 {
		s.backend = filepath.Join(s.run, "backend.json")
		return writeJSON(s.backend, s.spec.BackendValues)
	}
	return nil
}

func writeJSON(name string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o600)
}

// Notes are facts a person should know about how this workspace ran, in the order they came up.
func (s *Session) Notes() []string { return slices.Concat(s.state.notes, s.notes) }

// ViewDir is where the root module lies on disk while it runs.
func (s *Session) ViewDir() string { return s.view.path(s.dir) }

// Close removes what is private to this run: variables, temporary files, plan files that were not kept. The view, .terraform and all
// state stay. Calling it again does nothing.
func (s *Session) Close() error {
	if s.closed {
		return nil
	}
	s.closed, s.ready = true, false
	var errs []error
	if s.state != nil && s.view != nil {
		errs = append(errs, s.keepErrored(), s.state.bringHome(s.view))
	}
	for _, file := range s.plans {
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			errs = append(errs, err)
		}
	}
	for _, dir := range []string{s.run, s.tmp} {
		if dir != "" {
			errs = append(errs, removeAll(dir))
		}
	}
	if s.runLock != nil {
		errs = append(errs, s.runLock.Close())
	}
	s.home.leave(s.name)
	return errors.Join(errs...)
}

// removeAll also removes directories that a module cache made read-only.
func removeAll(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	filepath.WalkDir(dir, func(name string, entry os.DirEntry, err error) error {
		if entry != nil && entry.IsDir() {
			os.Chmod(name, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}

func (s *Session) note(format string, args ...any) {
	text := strings.TrimSpace(fmt.Sprintf(format, args...))
	if !slices.Contains(s.notes, text) {
		s.notes = append(s.notes, text)
	}
}
