package main

import (
	"context"
	"errors"

	"github.com/mooring-iac/mooring/cmd/mooring/control"
	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/cmd/mooring/serverconfig"
	"github.com/mooring-iac/mooring/runner"
)

// session is a command's hold on a data directory: the running server's, or its
// own when none runs.
type session struct {
	control.Operations
	remote    *control.Client // nil when the database is this process's
	interrupt func()          // ends running applies at once
	close     func() error
}

// work opens a session, hands it to f and closes it. Events go to observe, which
// may be nil; with warnings, those of the configuration and the runner are shown.
func (a *app) work(ctx context.Context, warnings bool, observe func(runner.Event), f func(context.Context, *session) error) error {
	cfg, err := a.load(warnings)
	if err != nil {
		return err
	}
	s, err := a.open(cfg, warnings, observe)
	if err != nil {
		return err
	}
	ctx, stop := a.untilSignal(ctx, s)
	defer stop()
	err = errors.Join(f(ctx, s), s.close())
	if s.remote != nil {
		a.sayVersions(s.remote.ServerVersion())
	}
	return err
}

func (a *app) open(cfg *serverconfig.Config, warnings bool, observe func(runner.Event)) (*session, error) {
	if err := serverconfig.CheckDataDir(cfg.DataDir); err != nil {
		return nil, err
	}
	return reach(func() (*session, error) {
		client, err := control.Dial(cfg.DataDir, sentinels, observe)
		if err != nil {
			return nil, err
		}
		return &session{Operations: client, remote: client, interrupt: func() {}, close: func() error { return nil }}, nil
	}, func() (*session, error) {
		if err := serverconfig.PrepareDataDir(cfg.DataDir); err != nil {
			return nil, err
		}
		o := a.options(cfg)
		o.Observe = observe
		o.Log = a.oneShotLog(warnings, observe)
		r, err := runner.Open(o)
		if err != nil {
			return nil, err
		}
		return &session{Operations: local{r}, interrupt: r.Interrupt, close: r.Close}, nil
	})
}

// reach asks the server, or takes the data directory where none runs. A server that starts holds the directory a moment
// before it listens: whoever met it between the two finds it when asking again.
func reach(ask, take func() (*session, error)) (*session, error) {
	s, err := ask()
	if !errors.Is(err, control.ErrNoServer) {
		return s, err
	}
	s, err = take()
	if !errors.Is(err, runner.ErrBusy) {
		return s, err
	}
	if s, again := ask(); !errors.Is(again, control.ErrNoServer) {
		return s, again
	}
	return nil, err
}

func (a *app) sayVersions(server string) {
	if own := buildVersion(); server != "" && server != own {
		a.note("note: the running server is Mooring %s, this command is %s", server, own)
	}
}

// progress shows events on standard error until its end is called.
func (a *app) progress() (observe func(runner.Event), end func()) {
	if a.quiet {
		return nil, func() {}
	}
	s := a.style(a.stderr)
	p := report.NewProgress(a.err(), s, s.Symbols, a.now)
	return p.Observe, p.Close
}
