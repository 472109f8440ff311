package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/mooring-iac/mooring/cmd/mooring/report"
)

func (a *app) driftCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "drift",
		GroupID: "run",
		Short:   "Scan for drift (comes later)",
		Long:    "Drift scans are not in this version. mooring plan shows what differs now.",
		Example: "  mooring drift -c server.hcl",
		Args:    arguments(0, -1, "[UNIT...]"),
		RunE: func(*cobra.Command, []string) error {
			err := errors.New("drift scans come with a later version; mooring plan shows what differs now")
			if a.format == "json" {
				_, tty := terminal(a.stdout)
				return errors.Join(err, report.JSON(a.out(), listOf(nil, err), tty))
			}
			return err
		},
	}
	return a.withOutput(cmd)
}
