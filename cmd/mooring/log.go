package main

import (
	"context"
	"log/slog"

	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/runner"
)

// oneShotLog is where the runner of a command that ends soon logs to: everything
// with --verbose; else warnings, where the command wants them, as lines among
// those of its progress.
func (a *app) oneShotLog(warnings bool, observe func(runner.Event)) *slog.Logger {
	switch {
	case a.verbose:
		return slog.New(slog.NewTextHandler(report.Writer(a.err()), &slog.HandlerOptions{Level: slog.LevelDebug}))
	case !warnings:
		return slog.New(slog.DiscardHandler)
	case observe == nil: // quiet: no progress, but a warning is none
		s := a.style(a.stderr)
		observe = report.NewProgress(a.err(), s, false, a.now).Observe
	}
	return slog.New(eventHandler{show: observe})
}

// eventHandler shows warnings and errors as events.
type eventHandler struct {
	show       func(runner.Event)
	repository string
}

func (h eventHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

func (h eventHandler) Handle(_ context.Context, r slog.Record) error {
	e := runner.Event{Time: r.Time, Repository: h.repository, Phase: runner.PhaseWarning, Text: r.Message}
	r.Attrs(func(at slog.Attr) bool {
		switch at.Key {
		case "repository":
			e.Repository = at.Value.String()
		case "error":
			e.Text += ": " + at.Value.String()
		}
		return true
	})
	h.show(e)
	return nil
}

func (h eventHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, at := range attrs {
		if at.Key == "repository" {
			h.repository = at.Value.String()
		}
	}
	return h
}

func (h eventHandler) WithGroup(string) slog.Handler { return h }
