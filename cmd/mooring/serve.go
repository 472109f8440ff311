package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/mooring-iac/mooring/cmd/mooring/control"
	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/cmd/mooring/serverconfig"
	"github.com/mooring-iac/mooring/internal/web"
	"github.com/mooring-iac/mooring/runner"
)

func (a *app) serveCommand() *cobra.Command {
	var logFormat string
	handOver := false
	cmd := &cobra.Command{
		Use:     "serve",
		GroupID: "run",
		Short:   "Follow the repositories until told to stop",
		Long: `The pull loop: every repository is polled at its own pace, and what its branch asks
for is planned and applied. Where a repository has a forge, its pull requests are
planned, reported in a comment and listened to; review_branches are planned as well.
While it runs, the other commands ask it over a unix socket in the data directory.

SIGTERM or SIGINT drains: nothing new begins, running applies finish within "grace".
A second signal interrupts them at once. With --hand-over it does not wait: running
applies go on in their supervisors, and the next start follows and records them.
Exit: 0 after a drain, 1 failed.`,
		Example: `  mooring serve -c server.hcl
  mooring serve -c server.hcl --log-format json`,
		Args: arguments(0, 0, "[flags]"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := a.logger(logFormat)
			if err != nil {
				return err
			}
			cfg, err := a.load(true)
			if err != nil {
				return err
			}
			if handOver && os.Getpid() == 1 {
				return errors.New("--hand-over: Mooring is the first process of its container, which ends with it, and every apply too: leave the flag out, and it drains")
			}
			return a.serve(cmd.Context(), cfg, log, handOver)
		},
	}
	cmd.Flags().BoolVar(&handOver, "hand-over", false, "when told to stop, leave running applies to their supervisors")
	cmd.Flags().StringVar(&logFormat, "log-format", "text", "how to log to standard error: text, json")
	_ = cmd.RegisterFlagCompletionFunc("log-format", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)) // fails only for a flag that is not there
	return cmd
}

func (a *app) logger(format string) (*slog.Logger, error) {
	o := &slog.HandlerOptions{Level: slog.LevelInfo}
	if a.verbose {
		o.Level = slog.LevelDebug
	}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(report.Writer(a.err()), o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(report.Writer(a.err()), o)), nil
	}
	return nil, fmt.Errorf("--log-format is %q: use text or json", format)
}

// server is a serve under way.
type server struct {
	log      *slog.Logger
	r        *runner.Runner
	hub      *control.Hub
	handOver bool
	stopping atomic.Bool
}

func (a *app) serve(ctx context.Context, cfg *serverconfig.Config, log *slog.Logger, handOver bool) error {
	if err := serverconfig.PrepareDataDir(cfg.DataDir); err != nil {
		return err
	}
	// A server is idle nearly always: collecting twice as often costs nothing that
	// anybody waits for, and keeps what a large repository took from being held.
	debug.SetGCPercent(50)
	s := &server{log: log, hub: &control.Hub{}, handOver: handOver}
	o := a.options(cfg)
	o.Log, o.Observe = log, s.observe
	r, err := runner.Open(o)
	if err != nil {
		return err
	}
	s.r = r
	return errors.Join(s.run(ctx, cfg), r.Close())
}

// run serves until a signal, then drains.
func (s *server) run(ctx context.Context, cfg *serverconfig.Config) error {
	socket, err := control.Listen(cfg.DataDir)
	if err != nil {
		return err
	}
	listeners := []func(context.Context, context.Context) error{func(ctx, work context.Context) error {
		c := &control.Server{Operations: local{s.r}, Hub: s.hub, Sentinels: sentinels, Version: buildVersion()}
		return c.Serve(ctx, work, socket)
	}}
	if cfg.Listen != "" {
		f, err := s.web(cfg)
		if err != nil {
			return errors.Join(err, socket.Close())
		}
		listeners = append(listeners, f)
	}
	// What the loop does ends with the first signal. The listeners go on until it
	// has drained: a person who wonders what it waits for can ask.
	work, stop := twice(ctx, func() {
		s.stopping.Store(true)
		if s.handOver {
			s.r.HandOver()
			s.log.Info("stopping: running applies go on in their supervisors")
			return
		}
		s.log.Info("stopping: running applies may finish", "grace", cfg.Grace)
	}, func() {
		s.log.Warn("stopping at once: running applies are interrupted")
		s.r.Interrupt()
	})
	defer stop()
	asked, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var wg sync.WaitGroup
	failed := make(chan error, len(listeners))
	for _, f := range listeners {
		wg.Go(func() {
			if err := f(asked, work); err != nil {
				failed <- err
				stop() // a server that cannot be asked is not left running
			}
		})
	}
	s.log.Info("serving", "version", buildVersion(), "repositories", len(cfg.Repositories), "data_dir", cfg.DataDir, "listen", cfg.Listen)
	err = s.r.Serve(work)
	stop() // of work that clients began, too
	end()
	wg.Wait()
	close(failed)
	for f := range failed {
		err = errors.Join(err, f)
	}
	if err == nil {
		s.log.Info("stopped")
	}
	return err
}

func (s *server) web(cfg *serverconfig.Config) (func(context.Context, context.Context) error, error) {
	h, err := web.Handler(web.Options{
		Hook:     hook(cfg, s.r, s.log),
		Pages:    textPages{s.r},
		Password: cfg.Pages.Password,
		Failed:   func(err error) { s.log.Error("a page could not be shown", "error", err) },
		Healthy:  s.r.Healthy,
		Ready: func() error {
			if s.stopping.Load() {
				return errors.New("stopping")
			}
			return s.r.Ready()
		},
		Collectors: s.r.Collectors(),
		Version:    buildVersion(),
	})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s.log.Info("listening", "address", l.Addr().String())
	return func(ctx, _ context.Context) error { return web.Serve(ctx, l, h) }, nil
}

// observe hands an event to whoever watches, and logs those that tell a story.
func (s *server) observe(e runner.Event) {
	s.hub.Publish(e)
	log := s.log.With("repository", e.Repository)
	if e.Run != "" {
		log = log.With("run", e.Run)
	}
	switch e.Phase {
	case runner.PhaseBegin:
		log.Info("run begins", "units", e.Units, "subject", e.Text)
	case runner.PhaseDone:
		level := slog.LevelInfo
		if e.Status == runner.Failed || e.Status == runner.Interrupted {
			level = slog.LevelError
		}
		if e.Status == runner.Unchanged {
			level = slog.LevelDebug
		}
		log.Log(context.Background(), level, "unit ended", "unit", e.Unit, "status", e.Status, "add", e.Add, "change", e.Change, "destroy", e.Destroy, "why", e.Text)
	case runner.PhaseEnd:
		log.Info("run ended", "status", e.Status)
	case runner.PhaseWarning:
		log.Warn(e.Text, "unit", e.Unit)
	case runner.PhaseInit, runner.PhasePlan, runner.PhaseApply, runner.PhaseWait, runner.PhasePrune:
		log.Debug(string(e.Phase), "unit", e.Unit, "what", e.Text)
	}
}
