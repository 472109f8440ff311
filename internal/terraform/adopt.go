package terraform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Ended tells that the run wrote down how it ended.
func (l Leftover) Ended() bool { return l.result != nil }

// Outcome is what a run that ended came to, as Apply would have returned it. Known says how much later than Ended it is read: any time.
func (h *Home) Outcome(l Leftover, tool string) (Applied, []string, error) {
	if l.result == nil {
		return Applied{}, nil, ErrLost
	}
	r := l.result
	applied := appliedOf(r.Reply)
	if len(r.Outputs) > 0 && r.Reply.State != nil {
		clear, err := openBytes(r.Outputs, h.identity)
		if err == nil {
			err = json.Unmarshal(clear, &applied.State.Outputs)
		}
		if err != nil {
			return applied, r.Reply.Notes, fmt.Errorf("read the outputs of a run that went on alone: %w", err)
		}
		applied.OutputsKnown = true
	}
	return applied, r.Reply.Notes, commandError(context.Background(), tool, r.Reply.Failure)
}

// Digest is that of the plan which a run that ended applied.
func (l Leftover) Digest() string {
	if l.result == nil {
		return ""
	}
	return l.result.Digest
}

// Took is how long the command of a run that ended took.
func (l Leftover) Took() time.Duration {
	if l.result == nil {
		return 0
	}
	return l.result.Ended.Sub(l.result.Began)
}

// Follow hands on what a run that goes on prints, from now on, until nothing of it lives, and returns what it left. outputFile is the one
// named in its Spec. When ctx ends the run is cancelled with ctx's cause, gently, unless that is ErrHandOver; Follow then returns ErrHandedOver.
func (h *Home) Follow(ctx context.Context, l Leftover, outputFile string, out io.Writer) (Leftover, error) {
	if outputFile == "" {
		outputFile = filepath.Join(l.Dir, outputName)
	}
	show := &follower{out: out}
	if file, err := os.Open(outputFile); err == nil {
		defer file.Close()
		if _, err := file.Seek(0, io.SeekEnd); err == nil {
			show.file = file
		}
	}
	done := ctx.Done()
	for {
		alive, err := h.alive(l.Dir)
		if err != nil {
			return l, err
		}
		show.read()
		if !alive {
			return h.Look(l.Dir)
		}
		select {
		case <-done:
			if errors.Is(context.Cause(ctx), ErrHandOver) {
				return l, ErrHandedOver
			}
			done = nil
			_ = l.Cancel(context.Cause(ctx).Error()) // it may have ended by itself
		case <-time.After(100 * time.Millisecond): // another process's lock and file: there is no event for both
		}
	}
}

// Clear removes a run directory that is done with, and keeps what must not be lost of it.
func (h *Home) Clear(l Leftover) error {
	if l.Dir == "" || filepath.Dir(l.Dir) != h.runs {
		return fmt.Errorf("clear run directory %q: it is none of ours", l.Dir)
	}
	_, err := h.takeUnstored(l.Dir)
	if err != nil {
		return err
	}
	return removeAll(l.Dir)
}
