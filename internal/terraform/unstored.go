package terraform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// erroredState is what Terraform writes into the root module when it cannot store a state in its backend.
const erroredState = "errored.tfstate"

// Unstored is a state that its backend did not take. It is newer than what the backend has; it is kept sealed until it is pushed.
type Unstored struct {
	File string    `json:"file"`
	Kept time.Time `json:"kept"`
}

// Unstored lists the states of a workspace that its backend did not take, oldest first.
func (h *Home) Unstored(repository, key string) ([]Unstored, error) {
	entries, err := os.ReadDir(h.unstoredDir(hashName(key, repository, key)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the states that no backend took: %w", err)
	}
	var all []Unstored
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !strings.HasSuffix(entry.Name(), ".tfstate.age") {
			continue
		}
		all = append(all, Unstored{File: filepath.Join(h.unstoredDir(hashName(key, repository, key)), entry.Name()), Kept: info.ModTime()})
	}
	slices.SortStableFunc(all, func(a, b Unstored) int { return a.Kept.Compare(b.Kept) })
	return all, nil
}

func (h *Home) unstoredDir(name string) string { return filepath.Join(h.unstored, name) }

// newUnstored names a file for one more.
func (h *Home) newUnstored(name string) (string, error) {
	dir := h.unstoredDir(name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return filepath.Join(dir, time.Now().UTC().Format("20060102T150405.000000000")+".tfstate.age"), nil
}

// takeUnstored brings the sealed state home that a run directory holds, if there is one.
func (h *Home) takeUnstored(run string) (file string, err error) {
	name, _, _ := strings.Cut(filepath.Base(run), ".")
	sealed := filepath.Join(run, unstoredName)
	if _, err := os.Stat(sealed); err != nil {
		return "", nil // none
	}
	if file, err = h.newUnstored(name); err == nil {
		err = os.Rename(sealed, file)
	}
	if err == nil {
		err = syncPath(filepath.Dir(file))
	}
	if err != nil {
		return "", fmt.Errorf("keep the state that no backend took (%s): %w", sealed, err)
	}
	return file, nil
}

// keepSealed takes home what the supervisor sealed.
func (s *Session) keepSealed() error {
	file, err := s.home.takeUnstored(s.run)
	if file != "" {
		s.note("the state of this run could not be stored in its backend; it is kept sealed, and `mooring state push` stores it")
	}
	return err
}

// keepErrored seals what a run that was cut off left in the view: the next view would sweep it away.
func (s *Session) keepErrored() error {
	inView := filepath.Join(s.view.path(s.dir), erroredState)
	if info, err := os.Lstat(inView); err == nil && !info.Mode().IsRegular() {
		return nil // not Terraform's
	}
	data, err := os.ReadFile(inView)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var name string
	if err == nil {
		name, err = s.home.newUnstored(s.name)
	}
	if err == nil {
		var sealed bytes.Buffer
		if err = sealInto(&sealed, bytes.NewReader(data), s.home.identity.Recipient().String()); err == nil {
			err = writeDurable(name, sealed.Bytes())
		}
	}
	if err == nil {
		err = os.Remove(inView)
	}
	if err != nil {
		return fmt.Errorf("keep the state that Terraform could not store (%s): %w", inView, err)
	}
	s.note("a state that could not be stored in its backend was found; it is kept sealed, and `mooring state push` stores it")
	return nil
}

// PushState stores a kept state in the workspace's backend and removes it here. Terraform itself refuses one of another lineage, or an
// older one than the backend has. Init must have succeeded. Errors: ErrSealed, fs.ErrNotExist, *CommandError.
func (s *Session) PushState(ctx context.Context, u Unstored) error {
	if !s.ready {
		return fmt.Errorf("push a state of %s: not initialised", s.spec.Key)
	}
	data, err := openSealed(u.File, s.home.identity)
	if err != nil {
		return fmt.Errorf("push a state of %s: %w", s.spec.Key, err)
	}
	const name = "push.tfstate"
	if _, err := s.query(ctx, request{Verb: verbLoad, Name: name, Data: data}); err != nil {
		return err
	}
	if _, err := s.command(ctx, nil, request{Verb: "state push", Name: name, Env: s.env(s.spec.ApplyEnv)}); err != nil {
		return err
	}
	if err := os.Remove(u.File); err != nil {
		return fmt.Errorf("pushed, but the kept copy stays: %w", err)
	}
	return nil
}
