package terraform

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// AskHolder asks the server of an http backend for the lock that claim is, and answers with the one in the way, nil when there is none.
// backend is the backend's configuration as init recorded it, env what its variables add.
type AskHolder func(ctx context.Context, backend json.RawMessage, env map[string]string, claim json.RawMessage) (holder json.RawMessage, err error)

// nameHTTPHolder puts the holder's facts in the place of the request's, which is all that Terraform's client prints. What cannot be found
// out stays empty, so that nobody takes a lock for one of our own.
func (s *Session) nameHTTPHolder(ctx context.Context, lock *StateLockError) {
	_, id, _ := strings.Cut(strings.Join(strings.Fields(lock.Tail), " "), "already locked: ID=")
	id, _, _ = strings.Cut(id, " ")
	lock.ID, lock.Who, lock.Operation, lock.Created, lock.Path = id, "", "", "", ""
	holder, err := s.askHTTPHolder(ctx)
	if err != nil {
		s.note("who holds the state lock could not be found out: %v", err)
		return
	}
	if holder == nil || id != "" && holder.ID != id {
		return // it was freed meanwhile, or went to somebody else
	}
	lock.ID, lock.Who, lock.Operation, lock.Created, lock.Path = holder.ID, holder.Who, holder.Operation, holder.Created, holder.Path
}

// lockInfo is a lock as Terraform describes it to a backend.
type lockInfo struct {
	ID, Operation, Info, Who, Version, Created, Path string
}

// askHTTPHolder is nil when nobody holds the lock.
func (s *Session) askHTTPHolder(ctx context.Context) (*lockInfo, error) {
	if s.home.opts.AskHolder == nil {
		return nil, errors.New("this Mooring does not ask servers")
	}
	var record struct {
		Backend struct {
			Config json.RawMessage `json:"config"`
		} `json:"backend"`
	}
	data, err := readRegular(filepath.Join(s.initDir(), "terraform.tfstate"))
	if err == nil {
		err = json.Unmarshal(data, &record)
	}
	if err != nil {
		return nil, fmt.Errorf("read the backend's configuration: %w", err)
	}
	claim, err := json.Marshal(lockInfo{
		ID: rand.Text(), Operation: "mooring asks who holds the lock", Who: "mooring@" + s.host, Version: s.spec.Tool.Version, Created: time.Now().UTC().Format(time.RFC3339Nano),
	})
	if err != nil {
		return nil, err
	}
	answer, err := s.home.opts.AskHolder(ctx, record.Backend.Config, s.env(s.spec.PlanEnv), claim)
	if err != nil || answer == nil {
		return nil, err
	}
	holder := &lockInfo{}
	if err := json.Unmarshal(answer, holder); err != nil || holder.ID == "" {
		return nil, errors.New("the server does not say who holds it")
	}
	return holder, nil
}
