package terraform

import (
	"context"
	"fmt"
	"strings"
)

// StateLockError says that somebody holds the state lock of the workspace. It is a *CommandError too.
type StateLockError struct {
	*CommandError
	ID, Path, Operation, Who, Created string // as Terraform prints them
}

func (e *StateLockError) Error() string {
	text := fmt.Sprintf("%s %s: %s: the state is locked", e.Tool, e.Command, e.Summary)
	for _, fact := range []struct{ word, value string }{{"by", e.Who}, {"since", e.Created}, {"for", e.Operation}, {"with lock id", e.ID}} {
		if fact.value != "" {
			text += " " + fact.word + " " + fact.value
		}
	}
	return text + ". It is left alone; when you are sure that nobody works on the state, `mooring state unlock UNIT LOCK-ID` frees it"
}

func (e *StateLockError) Unwrap() error { return e.CommandError }

// parseStateLock reads the lock's facts out of Terraform's message; nil when it is about something else.
func parseStateLock(stderr string) *StateLockError {
	text := plainText(stderr)
	_, facts, found := strings.Cut(text, "Lock Info:")
	if !found || !strings.Contains(text, "acquiring the state lock") && !strings.Contains(text, "state lock") {
		return nil
	}
	lock := &StateLockError{}
	for line := range strings.Lines(facts) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		switch name {
		case "ID":
			lock.ID = value
		case "Path":
			lock.Path = value
		case "Operation":
			lock.Operation = value
		case "Who":
			lock.Who = value
		case "Created":
			lock.Created = value
		}
	}
	if lock.ID == "" {
		return nil
	}
	return lock
}

// OwnRun tells which run of this installation and this workspace made a state lock; "" when that cannot be proven. Only runs in namespaces
// leave proof: their host name.
func (s *Session) OwnRun(lock *StateLockError) string {
	_, host, _ := strings.Cut(lock.Who, "@")
	rest := host
	for {
		_, after, found := strings.Cut(rest, "-mooring-")
		if !found {
			return ""
		}
		rest = after
		// The http backend answers with the request in place of the holder: that is this very session.
		if end := strings.LastIndexByte(rest, '-'); end > 0 && rest[:end] != s.label && rest[end+1:] == s.home.sign(s.spec.Repository, s.spec.Key, rest[:end]) {
			run, _, _ := strings.Cut(rest[:end], "-")
			return run
		}
	}
}

// FreeStateLock frees a state lock that a run of this installation left behind when it was killed, and no other. Nothing of that run lives:
// Open waited for it, and a workspace has one session at a time. Init must have succeeded.
func (s *Session) FreeStateLock(ctx context.Context, lock *StateLockError) error {
	run := s.OwnRun(lock)
	if run == "" {
		return fmt.Errorf("state lock %s of %s: not ours, it is left alone", lock.ID, lock.Who)
	}
	if live, err := s.home.liveRuns(s.name); err != nil || len(live) > 1 || len(live) == 1 && live[0] != s.run {
		return fmt.Errorf("state lock %s of %s: its run may still live, it is left alone", lock.ID, lock.Who)
	}
	if _, err := s.query(ctx, request{Verb: "force-unlock", Name: lock.ID, Env: s.env(s.spec.ApplyEnv)}); err != nil {
		return err
	}
	s.note("freed the state lock %s, which %s of this Mooring left behind when it was cut short", lock.ID, run)
	return nil
}

// BreakStateLock frees a state lock by its id because a person says so.
func (s *Session) BreakStateLock(ctx context.Context, id string) error {
	if !s.ready {
		return fmt.Errorf("unlock the state of %s: not initialised", s.spec.Key)
	}
	_, err := s.query(ctx, request{Verb: "force-unlock", Name: id, Env: s.env(s.spec.ApplyEnv)})
	return err
}
