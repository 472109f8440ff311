package terraform

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Session is one workspace ready to run. Its verbs run one at a time; it is not for concurrent use.
type Session struct {
	home  *Home
	spec  Spec
	name  string // directory name of the workspace
	dir   string // the root module, links followed
	view  *view
	state *stateHome

	run        string // private directory of this run, with what is for the supervisor
	runLock    *os.File
	tmp        string // TMPDIR and HOME, as it is outside
	private    string // what is in clear: variables, plans
	mode       string // of the confinement
	label      string // of this session, in the host name
	host       string // host name inside
	executable string // what terraform-exec starts
	isShim     bool
	super      *supervised
	output     *os.File

	varFile  string // "" when there are no variables
	backend  string // file of backend values, "" when there are none
	initHash string
	ready    bool // Init succeeded
	closed   bool
	notes    []string
	plans    int // made so far
	restored int // kept states that went into the local state file
}

// Open makes the view of a workspace and the files that are private to this run, and starts its supervisor. Close it on every path. It
// waits for another session of the workspace, and for what an earlier Mooring's run of it has not ended yet. Errors: ErrInUse, ErrRemoteExecution, ErrOutside, ErrSandbox,
// a missing var file.
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
	confined, err := h.Confinement(ctx)
	if err != nil {
		return nil, err
	}
	s := &Session{home: h, spec: spec, mode: confined.Mode, name: WarmName(spec.Repository, spec.Key)}
	if err := h.enter(ctx, s.name); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := h.awaitRuns(ctx, s.name); err != nil {
		return nil, err
	}
	// The supervisor makes ready while the view is made.
	if err := s.launch(); err != nil {
		return nil, err
	}
	if err := s.makeView(); err != nil {
		return nil, err
	}
	if err := s.restoreLocal(); err != nil {
		return nil, err
	}
	if s.initHash, err = s.hashInit(); err != nil {
		return nil, err
	}
	return s, s.prepare()
}

// awaitRuns waits until nothing lives any more that an earlier Mooring started for a workspace: what had not begun to change anything is
// about to end, and what had is for the runner to wait for before it comes here.
func (h *Home) awaitRuns(ctx context.Context, name string) error {
	for {
		live, err := h.liveRuns(name)
		if err != nil || len(live) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for what an earlier Mooring started (%s): %w", filepath.Base(live[0]), ctx.Err())
		case <-time.After(25 * time.Millisecond): // a lock that cannot be waited for with a context
		}
	}
}

// launch makes the run directory and starts the supervisor.
func (s *Session) launch() (err error) {
	h := s.home
	if s.mode == modeNamespaces {
		random := make([]byte, 3)
		_, _ = rand.Read(random) // never fails
		s.label = s.spec.Run + "-" + hex.EncodeToString(random)
		s.host = h.hostName(s.spec.Repository, s.spec.Key, s.label)
	}
	if s.executable, s.isShim, err = h.shim(s.spec.Tool); err != nil {
		return err
	}
	record := runRecord{Run: s.spec.Run, Repository: s.spec.Repository, Key: s.spec.Key, Host: s.host, Mode: s.mode, Started: time.Now()}
	if s.run, s.runLock, err = h.newRun(s.name, record); err != nil {
		return err
	}
	s.private = filepath.Join(s.run, "private")
	s.tmp = filepath.Join(s.run, "tmp")
	// Providers listen on a unix socket in TMPDIR, whose whole path has room for 107 bytes.
	if s.mode != modeNamespaces && len(s.tmp) > 75 {
		if s.tmp, err = os.MkdirTemp("", "mooring-"); err != nil {
			return err
		}
	}
	s.super, err = h.supervisorFor(s.spec, s.mode, s.run)
	return err
}

// begin has the supervisor take over the lock and the output, and confine itself. One that waited for this run and cannot have it is no
// loss: another one is started.
func (s *Session) begin(set setup) error {
	name := s.spec.OutputFile
	if name == "" {
		name = filepath.Join(s.run, outputName)
	}
	output, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer output.Close()
	if s.output, err = os.Open(name); err != nil {
		return err
	}
	if _, err := s.output.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	err = s.super.begin(set, s.runLock, output)
	if s.super.waited && err != nil { // nothing has begun
		s.super.end()
		if s.super, err = s.home.launchFor(s.spec, s.mode, s.run); err != nil {
			return err
		}
		err = s.super.begin(set, s.runLock, output)
	}
	if err != nil {
		return err
	}
	s.super.output = s.output
	// From here on the lock is the supervisor's.
	err = s.runLock.Close()
	s.runLock = nil
	return err
}

// prepare confines the supervisor and gives it what it needs.
func (s *Session) prepare() error {
	files := map[string][]byte{}
	if len(s.spec.Variables) > 0 {
		values := map[string]json.RawMessage{}
		for name, value := range s.spec.Variables {
			values[name] = value.JSON
		}
		data, err := json.Marshal(values)
		if err != nil {
			return err
		}
		const name = "variables.tfvars.json"
		s.varFile, files[name] = filepath.Join(s.private, name), data
	}
	if len(s.spec.BackendValues) > 0 {
		data, err := json.Marshal(s.spec.BackendValues)
		if err != nil {
			return err
		}
		const name = "backend.json"
		s.backend, files[name] = filepath.Join(s.private, name), data
	}
	if err := os.MkdirAll(s.packages(), 0o700); err != nil {
		return err
	}
	paths := s.paths(s.mode)
	set := setup{
		Format: runFormat, Run: s.run, Tool: s.spec.Tool.Name, Exec: s.executable, Dir: s.view.path(s.dir), Grace: s.grace(),
		// Terraform talks to a provider over a unix socket in TMPDIR, which is private to this run and 0700. TLS on top of it, with keys
		// made anew for each of the many times a provider starts, costs more than all else in a small plan: 0.50 s of CPU against 0.21 s
		// with three providers. Windows has no such socket.
		PluginTLS: runtime.GOOS == "windows" || s.home.opts.PluginTLS,
		StateFile: s.state.current, Recipient: s.home.identity.Recipient().String(), Secrets: secretBytes(s.spec.Secrets),
		Private: s.private, Files: files,
		Confine: confinement{Mode: s.mode, Root: filepath.Join(s.run, "root"), Host: s.host, Paths: paths},
	}
	if s.mode == modeNone {
		set.Confine.Paths = nil
	}
	if err := s.begin(set); err != nil {
		return fmt.Errorf("confine %s by %s: %w", s.spec.Tool.Name, s.mode, err)
	}
	return nil
}

// packages is where init unpacks providers, before they move into the cache.
func (s *Session) packages() string { return filepath.Join(s.run, "packages") }

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
	if s.state, err = findState(s.spec, dir, s.home.StateDir(s.spec.Repository), s.home.identity.Recipient().String()); err != nil {
		return err
	}
	if err := s.state.checkPlaces(s.home); err != nil {
		return err
	}
	if err := s.view.straighten(); err != nil {
		return fmt.Errorf("make view: %w", err)
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

// Generated tells whether what ran left files in the module directories that a saved plan may refer to (an archive, say): such a plan is
// good only for as long as this view stays as it is.
func (s *Session) Generated() (bool, error) { return s.view.generated() }

// RunDir is the run directory: it is found again after a kill of this process, see Home.Look.
func (s *Session) RunDir() string { return s.run }

// Close ends the supervisor and removes what is private to this run: variables, temporary files, plan files that were not kept. The view,
// .terraform and all state stay. Calling it again does nothing.
func (s *Session) Close() error {
	if s.closed {
		return nil
	}
	s.closed, s.ready = true, false
	var errs []error
	if s.super != nil {
		s.home.letGo(s.super)
		errs = append(errs, endOrphans(s.run)) // of a supervisor that was killed
	}
	if s.state != nil && s.view != nil {
		errs = append(errs, s.view.straighten())
		errs = append(errs, s.keepErrored(), s.keepSealed(), s.state.bringHome(s.view))
	}
	for _, dir := range []string{s.run, s.tmp} {
		if dir != "" {
			errs = append(errs, removeAll(dir))
		}
	}
	for _, file := range []*os.File{s.runLock, s.output} {
		if file != nil {
			errs = append(errs, file.Close())
		}
	}
	s.home.leave(s.name)
	return errors.Join(errs...)
}

// Leave closes the session without ending what runs: its supervisor goes on, and its run directory stays to be found again.
func (s *Session) Leave() {
	if s.closed {
		return
	}
	s.closed, s.ready = true, false
	s.super.leave()
	s.output.Close()
	s.home.leave(s.name)
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

// grace is how long a command has from an interrupt to a kill. A short one is only for runs in namespaces: what they leave locked
// can be proven to be theirs, and is freed.
func (s *Session) grace() time.Duration {
	if s.spec.Grace > 0 && s.mode == modeNamespaces {
		return s.spec.Grace
	}
	return s.home.opts.Grace
}
