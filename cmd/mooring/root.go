package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

const about = `Mooring keeps infrastructure and workloads tied to one Git repository: it plans
and applies Terraform (or OpenTofu) root modules in the order of their
dependencies, then hands Kubernetes manifests to the cluster, from one pull loop.

The operator writes server.hcl (-c, $MOORING_CONFIG, ./server.hcl); the repository
may hold a mooring.hcl.`

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "mooring",
		Short: "GitOps for Terraform and Kubernetes from one repository",
		Long:  about,
		Example: `  mooring serve -c server.hcl          follow the repositories until told to stop
  mooring sync -c server.hcl           one pass, then end
  mooring plan                         what the working copy here would change
  mooring runs -c server.hcl           what happened
  mooring approve r12 -c server.hcl    let go on what waits`,
		SuggestionsMinimumDistance: 2,

		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())
	})
	flags := root.PersistentFlags()
	flags.StringVarP(&a.config, "config", "c", "", "the server's configuration (default $MOORING_CONFIG, then ./server.hcl)")
	flags.StringVarP(&a.format, "output", "o", "text", "how to print: text or json; graph has dot too, plan and policy sarif and junit")
	flags.BoolVar(&a.noColor, "no-color", false, "no colours; $NO_COLOR does the same")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "no progress on standard error")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "log what happens inside to standard error")
	_ = root.MarkPersistentFlagFilename("config", "hcl")           // fails only for a flag that is not there
	_ = root.RegisterFlagCompletionFunc("output", completeFormats) // as above
	root.AddGroup(
		&cobra.Group{ID: "run", Title: "Run:"},
		&cobra.Group{ID: "repository", Title: "Look at a working copy:"},
		&cobra.Group{ID: "history", Title: "History and decisions:"},
		&cobra.Group{ID: "other", Title: "Other:"},
	)
	root.SetHelpCommandGroupID("other")
	root.SetCompletionCommandGroupID("other")
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.AddCommand(
		a.serveCommand(), a.syncCommand(), a.driftCommand(),
		a.planCommand(), a.graphCommand(), a.validateCommand(), a.policyCommand(),
		a.runsCommand(), a.showCommand(), a.approveCommand(), a.discardCommand(), a.cancelCommand(), a.stateCommand(), a.locksCommand(), a.unlockCommand(), a.forgetCommand(), a.destroyCommand(),
		a.notifyCommand(), a.gcCommand(), a.versionCommand(),
	)
	return root
}

func unknownCommand(cmd *cobra.Command, name string) error {
	text := fmt.Sprintf("unknown command %q", name)
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		text += fmt.Sprintf(", did you mean %q?", strings.Join(near, `" or "`))
	}
	return fmt.Errorf("%s (see mooring --help)", text)
}

// formatsKey is the annotation in which a command keeps its formats.
const formatsKey = "formats"

func completeFormats(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	formats := cmd.Annotations[formatsKey]
	if formats == "" {
		formats = "text,json"
	}
	return strings.Split(formats, ","), cobra.ShellCompDirectiveNoFileComp
}

// withOutput checks the -o flag for a command that prints data; one that has
// other formats than text and json names them.
func (a *app) withOutput(cmd *cobra.Command, more ...string) *cobra.Command {
	formats := append([]string{"text", "json"}, more...)
	cmd.Annotations = map[string]string{formatsKey: strings.Join(formats, ",")}
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if slices.Contains(formats, a.format) {
			return run(cmd, args)
		}
		return fmt.Errorf("--output is %q: use %s (see %s --help)", a.format, strings.Join(formats, ", "), cmd.CommandPath())
	}
	return cmd
}

// arguments checks how many there are and says what they are when it is wrong.
func arguments(least, most int, usage string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			return fmt.Errorf("usage: %s %s (see %s --help)", cmd.CommandPath(), usage, cmd.CommandPath())
		}
		return nil
	}
}
