package terraform

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/hashicorp/go-version"
)

const (
	lockFileName = ".terraform.lock.hcl"
	markName     = "mooring-init.json"
	keptInits    = 2 // .terraform directories of other inputs that stay, for branches that take turns
)

// initMark says that a .terraform directory is whole. It is written last; a directory without it is made again.
type initMark struct {
	Hash      string `json:"hash"`
	Workspace string `json:"workspace"`
	LockFile  string `json:"lock_file"` // the lock file that belongs to the providers in it
}

// Init runs `terraform init` when its inputs have changed, and selects the Terraform workspace, making it when there is none. A
// .terraform directory is never initialised again in place: other inputs get a directory of their own.
//
// .terraform is a real directory in the view and moves out by rename when other inputs take its place. (TF_DATA_DIR, or a link, would
// put the path of a directory of ours into path.module of every module from a registry, and a change into plans with every new hash.)
func (s *Session) Init(ctx context.Context, out io.Writer) error {
	if s.ready {
		return nil
	}
	if s.closed {
		return fmt.Errorf("initialise %s: session is closed", s.spec.Key)
	}
	found, err := s.recallInit()
	if err != nil {
		return fmt.Errorf("prepare init of %s: %w", s.spec.Key, err)
	}
	if !found {
		if err := s.freshInit(ctx, out); err != nil {
			return err
		}
	} else if err := s.checkBackend(); err != nil {
		return err
	}
	s.ready = true
	return nil
}

// recallInit puts the .terraform directory of the wanted hash into place, if there is one.
func (s *Session) recallInit() (bool, error) {
	release, err := s.usePackages()
	if err != nil {
		return false, err
	}
	defer release()
	active, stored := s.initDir(), filepath.Join(s.home.initDirs, s.name)
	if mark, ok := readMark(active); ok {
		if mark.Hash == s.initHash {
			return true, s.writeLockFile(mark.LockFile)
		}
		if err := os.MkdirAll(stored, 0o700); err != nil {
			return false, err
		}
		parked := filepath.Join(stored, mark.Hash)
		if err := removeAll(parked); err != nil {
			return false, err
		}
		if err := os.Rename(active, parked); err != nil {
			return false, err
		}
	}
	if err := removeAll(active); err != nil {
		return false, err
	}
	wanted := filepath.Join(stored, s.initHash)
	mark, ok := readMark(wanted)
	if !ok {
		return false, nil
	}
	if err := os.Rename(wanted, active); err != nil {
		return false, err
	}
	return true, s.writeLockFile(mark.LockFile)
}

func (s *Session) freshInit(ctx context.Context, out io.Writer) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, removeAll(s.initDir()))
		}
	}()
	release, err := s.usePackages()
	if err != nil {
		return fmt.Errorf("prepare init of %s: %w", s.spec.Key, err)
	}
	defer release()
	err = s.runInit(ctx, out)
	var failed *CommandError
	if errors.As(err, &failed) && (s.dropKeptLock(failed) || s.dropDamagedPackages(failed)) {
		err = errors.Join(removeAll(s.initDir()), s.runInit(ctx, out))
	}
	if err != nil {
		return err
	}
	if again, err := s.learnModules(); err != nil {
		return err
	} else if again {
		if err := errors.Join(removeAll(s.initDir()), s.runInit(ctx, out)); err != nil {
			return err
		}
	}
	if err := s.checkBackend(); err != nil {
		return err
	}
	if err := s.selectWorkspace(ctx, out); err != nil {
		return err
	}
	lock, err := s.keepLockFile()
	if err != nil {
		return err
	}
	mark, err := json.Marshal(initMark{Hash: s.initHash, Workspace: s.spec.workspaceName(), LockFile: lock})
	if err != nil {
		return err
	}
	// A module-less, provider-less init makes no directory.
	if err := os.MkdirAll(s.initDir(), 0o700); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(s.initDir(), markName), mark, 0o600); err != nil {
		return fmt.Errorf("finish init of %s: %w", s.spec.Key, err)
	}
	return s.dropOldInits()
}

func (s *Session) runInit(ctx context.Context, out io.Writer) error {
	cache, err := s.stagePackages()
	if err != nil {
		return fmt.Errorf("prepare init of %s: %w", s.spec.Key, err)
	}
	extra := map[string]string{}
	for name, value := range s.spec.InitEnv {
		extra[name] = value
	}
	extra["TF_PLUGIN_CACHE_DIR"] = cache.dir
	if s.committedLock() == nil {
		// The lock file serves this machine alone, so it may be made from the cache without asking the registry for other platforms' hashes.
		extra["TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE"] = "1"
	} else if s.isShim && atLeast(s.spec.Tool.Version, "1.1.0") {
		extra[shimLockfile] = "readonly"
	}
	if s.spec.BackendType == "local" {
		// A first init of a "local" backend offers to migrate what it finds in the default places, which here is the backend's own state.
		if err := s.state.hide(s.view); err != nil {
			return fmt.Errorf("prepare init of %s: %w", s.spec.Key, err)
		}
	}
	_, err = s.command(ctx, out, request{Verb: "init", Env: s.env(s.spec.PlanEnv, extra), BackendArgs: s.backendArgs()})
	if err := errors.Join(err, s.state.show(s.view)); err != nil {
		return err
	}
	if err := cache.publish(s.initDir()); err != nil {
		return fmt.Errorf("keep providers of %s: %w", s.spec.Key, err)
	}
	return nil
}

// backendArgs are the files of partial backend configuration, besides the arguments terraform-exec always gives (-input=false, -no-color,
// -upgrade=false).
func (s *Session) backendArgs() []string {
	var args []string
	for _, name := range s.spec.BackendFiles {
		args = append(args, s.relative(name))
	}
	if s.backend != "" {
		args = append(args, s.backend) // last: a value wins over a file
	}
	return args
}

// relative is how a repository path is named from the root module.
func (s *Session) relative(name string) string {
	if rel, err := filepath.Rel(filepath.FromSlash(s.dir), filepath.FromSlash(path.Clean(name))); err == nil {
		return rel
	}
	return s.view.path(name)
}

func (s *Session) initDir() string { return filepath.Join(s.view.path(s.dir), ".terraform") }

// hashInit digests all that init depends on.
func (s *Session) hashInit() (string, error) {
	sum := sha256.New()
	write := func(label string, data []byte) { fmt.Fprintf(sum, "%s %d:%s\n", label, len(data), data) }
	write("layout", []byte("1"))
	write("tool", []byte(s.spec.Tool.Path+" "+s.spec.Tool.Version+" "+s.spec.Tool.Digest))
	write("inputs", s.spec.InitInputs)
	write("workspace", []byte(s.spec.workspaceName()))
	write("backend", []byte(s.spec.BackendType))
	write("lock file", s.committedLock())
	values, err := json.Marshal(s.spec.BackendValues)
	if err != nil {
		return "", err
	}
	write("values", values)
	for _, name := range s.spec.BackendFiles {
		data, err := os.ReadFile(s.view.path(name))
		if err != nil {
			return "", err
		}
		write(name, data)
	}
	return hex.EncodeToString(sum.Sum(nil))[:32], nil
}

func readMark(dir string) (initMark, bool) {
	var mark initMark
	data, err := readRegular(filepath.Join(dir, markName))
	return mark, err == nil && json.Unmarshal(data, &mark) == nil && mark.Hash != ""
}

// dropOldInits keeps the last few directories of other inputs.
func (s *Session) dropOldInits() error {
	stored := filepath.Join(s.home.initDirs, s.name)
	entries, err := os.ReadDir(stored)
	if err != nil {
		return nil // none
	}
	infos := make([]os.FileInfo, 0, len(entries))
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil {
			infos = append(infos, info)
		}
	}
	slices.SortFunc(infos, func(a, b os.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	for i, info := range infos {
		if i >= keptInits {
			if err := removeAll(filepath.Join(stored, info.Name())); err != nil {
				return fmt.Errorf("remove old init of %s: %w", s.spec.Key, err)
			}
		}
	}
	return nil
}

func atLeast(text, least string) bool {
	v, err := version.NewVersion(text)
	return err == nil && v.GreaterThanOrEqual(version.Must(version.NewVersion(least)))
}

// dropKeptLock forgets a kept lock file that no longer fits the configuration: nobody committed it, so nobody else can.
func (s *Session) dropKeptLock(failed *CommandError) bool {
	if s.committedLock() != nil || !failed.says("init -upgrade") {
		return false
	}
	kept := os.Remove(s.keptLockPath())
	os.Remove(filepath.Join(s.view.path(s.dir), lockFileName))
	if kept != nil {
		return false
	}
	s.note("the provider versions kept for this workspace no longer fit its configuration; chosen anew (commit %s to decide them yourself)", lockFileName)
	return true
}
