package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/mooring-iac/mooring/internal/terraform"
)

// keep remembers a plan that waits for a person.
func (w *workspaceRun) keep(p *terraform.Plan, now stateMemory) func(*memory) {
	old := w.x.recall(w.t.unit.ID).Plan
	held := &heldPlan{Commit: w.x.run.Commit, Inputs: w.inputs, Destroy: w.t.removal, Made: w.x.r.opts.Now(), Accepts: now}
	if p.Changes {
		p.Keep()
		held.File, held.Digest = p.File, p.Digest
	}
	return func(m *memory) {
		if old != nil && old.File != held.File {
			removeFile(old.File)
		}
		m.Plan = held
	}
}

// applyApproved applies the saved plan that a person said yes to, and no other.
// Where the world has moved since, a new plan is made and waits.
func (w *workspaceRun) applyApproved(ctx context.Context) (outcome, error) {
	m := w.x.recall(w.t.unit.ID)
	held := m.Plan
	if held == nil { // interrupted work: the person asked for a new plan
		return w.plan(ctx)
	}
	if held.Destroy != w.t.removal { // a yes to a change is none to an end
		removeFile(held.File)
		return w.plan(ctx)
	}
	if held.File == "" { // nothing to apply: the person accepted the state as it is
		w.x.accept(w.t.unit.ID, held.Accepts)
		return w.plan(ctx)
	}
	stale := ""
	switch digest, err := fileDigest(held.File); {
	case errors.Is(err, os.ErrNotExist):
		stale = "the saved plan is gone"
	case err != nil:
		return outcome{}, fmt.Errorf("read the saved plan: %w", err)
	case digest != held.Digest:
		stale = "the saved plan is not the one that was approved"
	case held.Inputs != w.inputs:
		stale = "variables or the Terraform version changed since the plan was made"
	}
	w.phase(PhaseInit)
	if err := w.s.Init(ctx, w.out); err != nil {
		return outcome{}, err
	}
	if stale == "" {
		o := outcome{UnitResult: *w.x.result(w.t.unit.ID)}
		o.Reason, o.Error = "", ""
		o, err := w.apply(ctx, o, held.File, held.Digest, held.Accepts)
		if !errors.Is(err, terraform.ErrStalePlan) {
			return o, err
		}
		stale = "the state moved since the plan was made"
	}
	removeFile(held.File)
	o, err := w.plan(ctx)
	if o.Status == Held {
		o.Reason = fmt.Sprintf("%s, so a new plan was made: %s", stale, o.Reason)
	}
	return o, err
}

// accept takes a state that does not continue the last one as the one to go on
// from: a person said so.
func (x *execution) accept(id string, s stateMemory) {
	x.mu.Lock()
	defer x.mu.Unlock()
	m := x.memory(id)
	m.State, m.Plan = s, nil
}

// inputsDigest says what a plan was made from besides the commit and the state.
func inputsDigest(s terraform.Spec) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(s.Variables)) {
		fmt.Fprintf(h, "%q=%q\n", name, s.Variables[name].JSON)
	}
	fmt.Fprintf(h, "tool %q %q\n", s.Tool.Name, s.Tool.Version)
	return hex.EncodeToString(h.Sum(nil))
}

func fileDigest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
