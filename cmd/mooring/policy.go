package main

import (
	"github.com/spf13/cobra"
)

func (a *app) policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "policy",
		GroupID: "repository",
		Short:   "Test policies, see what they said, list the ones that ship with Mooring",
		Long: `Policies are rules in Rego about what a run may do: of the repository, of the server,
and those that ship with Mooring.`,
		Example: `  mooring policy test                      the Rego tests of ./policy
  mooring policy eval r12 -c server.hcl    what policies said of each unit of a run
  mooring policy rules                     the rules that ship with Mooring`,
		SuggestionsMinimumDistance: 2,

		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.policyTestCommand(), a.policyEvalCommand(), a.policyRulesCommand())
	return cmd
}
