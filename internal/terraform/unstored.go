package terraform

import (
	"bytes"
	"context"
	"encoding/json"
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
	entries, err := os.ReadDir(h.unstoredDir(WarmName(repository, key)))
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
		all = append(all, Unstored{File: filepath.Join(h.unstoredDir(WarmName(repository, key)), entry.Name()), Kept: info.ModTime()})
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
	data, err := readRegular(inView)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotRegular) {
		return nil // none, or not Terraform's
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

// restoreLocal stores the kept states of a workspace whose state is a local file: nothing but the disk refused them. One that does not
// continue what is in the file stays kept, for a person to decide on.
func (s *Session) restoreLocal() error {
	if s.state.current == "" {
		return nil
	}
	if err := s.restoreBackup(); err != nil {
		return err
	}
	kept, err := s.home.Unstored(s.spec.Repository, s.spec.Key)
	if err != nil {
		return err
	}
	for _, u := range kept {
		newer, err := openSealed(u.File, s.home.identity)
		if err != nil {
			return fmt.Errorf("restore the state of %s: %w", s.spec.Key, err)
		}
		present, err := readRegular(s.state.current)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if !json.Valid(present) {
			present = nil // cut off by the same full disk
		}
		if !follows(newer, present) {
			continue
		}
		if err := writeDurable(s.state.current, newer); err != nil {
			return fmt.Errorf("restore the state of %s: %w", s.spec.Key, err)
		}
		if err := os.Remove(u.File); err != nil {
			return err
		}
		s.restored++
		s.note("the state that could not be stored at %s is stored now", u.Kept.UTC().Format(time.RFC3339))
	}
	return nil
}

// restoreBackup puts Terraform's own backup, the state before the last apply, in the place of a state file that a kill cut off while it was
// written: Terraform writes it in place. What the cut-off apply made is in neither; a person is told, and its plan is held.
func (s *Session) restoreBackup() error {
	present, err := readRegular(s.state.current)
	if err != nil || len(present) > 0 && json.Valid(present) {
		return nil // not there yet, or whole
	}
	backup, err := readRegular(s.state.current + ".backup")
	if err != nil || len(backup) == 0 || !json.Valid(backup) {
		return nil
	}
	if err := writeDurable(s.state.current, backup); err != nil {
		return fmt.Errorf("restore the state of %s: %w", s.spec.Key, err)
	}
	s.note("the state file was cut off after %d bytes; it is again as it was before the last apply, from its backup: look for what that apply made", len(present))
	return nil
}

// Restored is how many kept states were stored when the session was opened, because the workspace's state is a local file.
func (s *Session) Restored() int { return s.restored }
