package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/internal/notify"
)

// tryTimeout bounds one test message.
const tryTimeout = 30 * time.Second

func (a *app) notifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "notify",
		GroupID: "other",
		Short:   "Try the channels by which people are told",
		Long: `Channels are the notify blocks of server.hcl; routes say who is told of what. See
docs/notifications.md.

  mooring notify test [CHANNEL…]   send a test message now, to all channels or to those named

A test passes by routes, digests and quiet hours, and needs no server that runs.

Exit: 0 all have taken it, 1 one has not.`,
		Example: "  mooring notify test -c server.hcl\n  mooring notify test chat mail -o json",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	test := &cobra.Command{
		Use:     "test [CHANNEL…]",
		Short:   "Send a test message now",
		Long:    "Sends a test message to every channel of server.hcl, or to those named, and says how\neach fared.\n\nExit: 0 all have taken it, 1 one has not.",
		Example: "  mooring notify test -c server.hcl\n  mooring notify test chat mail -o json",
		Args:    arguments(0, -1, "[CHANNEL…]"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.notifyTest(cmd.Context(), args) },
	}
	cmd.AddCommand(a.withOutput(test))
	return cmd
}

func (a *app) notifyTest(ctx context.Context, names []string) error {
	cfg, err := a.load(true)
	if err != nil {
		return err
	}
	channels, err := named(cfg.Notify.Channels, names)
	if err != nil {
		return err
	}
	// Each writes its own place: the order is the file's.
	results := make([]report.Notified, len(channels))
	var wg sync.WaitGroup
	for i, c := range channels {
		wg.Go(func() { results[i] = a.try(ctx, c) })
	}
	wg.Wait()
	if err := a.print(results, func(w io.Writer, s report.Style) error { return report.NotifiedTable(w, results, s) }); err != nil {
		return err
	}
	if slices.ContainsFunc(results, func(r report.Notified) bool { return !r.OK }) {
		return &exitError{code: 1}
	}
	return nil
}

// named returns the channels of these names, all of them for none.
func named(all []notify.Channel, names []string) ([]notify.Channel, error) {
	var known []string
	for _, c := range all {
		known = append(known, c.Name)
	}
	if len(all) == 0 {
		return nil, errors.New("the server's configuration has no notify block: docs/notifications.md says how to write one")
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("there is no channel %q: there are %s", name, strings.Join(known, ", "))
		}
	}
	if len(names) == 0 {
		return all, nil
	}
	return slices.DeleteFunc(slices.Clone(all), func(c notify.Channel) bool { return !slices.Contains(names, c.Name) }), nil
}

func (a *app) try(ctx context.Context, c notify.Channel) report.Notified {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	now := a.now()
	err := notify.Try(ctx, c, buildVersion(), notify.Message{
		Key:   fmt.Sprintf("test/%d", now.UnixNano()),
		Event: notify.Test, Severity: notify.Info, Group: "test/" + c.Name, At: now,
		Title: "Test message from Mooring",
		Lines: []string{fmt.Sprintf("The channel %s works. Sent by %s with mooring notify test.", c.Name, a.user())},
	})
	r := report.Notified{Channel: c.Name, OK: err == nil, Seconds: a.now().Sub(now).Seconds()}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}
