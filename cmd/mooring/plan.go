package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/cmd/mooring/serverconfig"
	"github.com/mooring-iac/mooring/runner"
	"github.com/mooring-iac/mooring/workspace"
)

func (a *app) planCommand() *cobra.Command {
	var unit string
	var against planned
	cmd := &cobra.Command{
		Use:     "plan [DIR]",
		GroupID: "repository",
		Short:   "Plan a working copy and print the report; changes nothing",
		Long: `Plans the working copy as it lies, committed or not, ignored files left out. Without
--base every unit is planned; with it those that differ from where the branch left
REF, and their dependants. Outputs of upstream workspaces come from their state.
With a server's configuration, clusters and what Terraform may see of the environment
come from it, and states that its data directory keeps are planned against. Without
one Terraform sees your environment, as if you had typed terraform plan.

Manifests are compared with what is in their cluster, field by field: the clusters are
the server's, or the one of --kubeconfig. Values of Secrets never show.

Policies judge the plans as they would a pull request: those of the server, the pack,
and the repository's own as they lie in the working copy. What they deny ends with 1.

Preflight says what the working copy adds that could read or run something: what is in
REF already, or in HEAD without --base, is not new. In your own environment it is said
and the plan goes on. With a server's configuration, whose credentials are not yours,
such a unit is held and nothing of it runs, as in a pull request; --let-run is your yes.

Exit: 0 no change, 1 error, 2 changes.`,
		Example: `  mooring plan
  mooring plan ../infra --base origin/main
  mooring plan --log infra/network         with Terraform's own words
  mooring plan --kubeconfig ~/.kube/config --repository infra
  mooring plan -o json
  mooring plan -o sarif > policy.sarif     what policies say, for a code host`,
		Args:              arguments(0, 1, "[DIR] [--base REF]"),
		ValidArgsFunction: completeDirectories,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.plan(cmd.Context(), directory(args), unit, against)
		},
	}
	cmd.Flags().StringVar(&against.base, "base", "", "plan only what differs from this Git revision")
	cmd.Flags().StringVar(&unit, "log", "", "print Terraform's output of this unit after the report")
	cmd.Flags().StringVar(&against.repository, "repository", "", "the repository of the server's configuration that this is a copy of; needed where it has several")
	cmd.Flags().StringVar(&against.kubeconfig, "kubeconfig", "", "compare every manifest set with the current context's cluster of this file")
	cmd.Flags().BoolVar(&against.letRun, "let-run", false, "with a server's configuration: plan what preflight holds; you have looked at it")
	return a.withOutput(cmd, "sarif", "junit")
}

func directory(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}

func completeDirectories(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// planned are the flags that say what a working copy is planned against.
type planned struct {
	base       string // a Git revision, or ""
	repository string // the server's name of it, or ""
	kubeconfig string // a file, or ""
	letRun     bool   // plan what would be held before it is planned
}

func (a *app) plan(ctx context.Context, dir, unit string, against planned) error {
	o, base, err := a.previewOptions(ctx, dir, against)
	if err != nil {
		return a.failed(err)
	}
	defer base.Close() // it was only read
	observe, end := a.progress()
	defer end()
	o.Observe = observe
	ctx, stop := twice(ctx, func() { a.note("stopping") }, func() {})
	defer stop()
	preview, err := runner.MakePreview(ctx, *o)
	end()
	if err != nil {
		return a.failed(err)
	}
	run := &preview.Run
	run.Repository = filepath.Base(o.Dir)
	if slices.ContainsFunc(run.Units, func(u runner.UnitResult) bool { return u.Status == runner.Held }) {
		run.Notes = append(run.Notes, "what is held here is planned with --let-run, once you have looked at it")
	}
	if a.judged() {
		err = a.printVerdicts(run)
	} else {
		err = a.print(run, func(w io.Writer, s report.Style) error {
			return report.Run(w, run, report.Options{Style: s, Preview: true, Full: unit == ""})
		})
	}
	if err != nil {
		return err
	}
	if unit != "" {
		if err := a.printLog(preview, unit); err != nil {
			return err
		}
	}
	return previewVerdict(run)
}

func (a *app) printLog(preview *runner.Preview, unit string) error {
	if a.format != "text" {
		return errors.New("--log goes with the text report only")
	}
	text, ok := preview.Logs[unit]
	if !ok {
		return fmt.Errorf("there is no output of Terraform's for %q", unit)
	}
	_, err := io.WriteString(a.out(), "\n"+report.Clean(text))
	return err
}

// previewVerdict is the exit code of a plan: an error outranks a change.
func previewVerdict(run *runner.Run) error {
	code := 0
	if run.Error != "" {
		code = 1
	}
	for _, u := range run.Units {
		if u.Policy != nil && u.Policy.Verdict.Denied() {
			code = 1
		}
		switch u.Status {
		case runner.Unchanged:
		case runner.Failed, runner.Skipped, runner.Interrupted:
			code = 1
		default: // planned, held, deferred: not what the state says
			if code == 0 {
				code = 2
			}
		}
	}
	if code == 0 {
		return nil
	}
	return &exitError{code: code}
}

// previewOptions describes the working copy. The server's configuration is used
// where there is one; only one that was named must be there.
func (a *app) previewOptions(ctx context.Context, dir string, against planned) (_ *runner.PreviewOptions, base *committed, _ error) {
	tree, err := workspace.WorkingCopy(dir)
	if err != nil {
		return nil, nil, err
	}
	o := &runner.PreviewOptions{Dir: tree.Dir(), Tree: tree, Repository: against.repository, LetRun: against.letRun}
	cfg, err := a.optionalConfig()
	if err != nil {
		return nil, nil, err
	}
	if cfg != nil {
		if o.Repository, err = nameOf(cfg, against.repository); err != nil {
			return nil, nil, err
		}
		if o.Repository != "" {
			o.States = runner.StatesOf(cfg.DataDir, o.Repository)
		}
		o.Options = a.options(cfg)
		for _, r := range o.Repositories {
			if r.Name == o.Repository {
				o.Own = r.Policies
			}
		}
		o.DataDir, o.Repositories = "", nil
	} else {
		o.AsPerson = true
		o.CLIConfig = a.personsCLIConfig()
	}
	o.Environ, o.Version, o.Now = a.environ, buildVersion(), a.now
	if o.Skip, err = ignored(tree); err != nil {
		return nil, nil, err
	}
	if o.Kubeconfig = against.kubeconfig; o.Kubeconfig != "" {
		if _, err := os.Stat(o.Kubeconfig); err != nil {
			return nil, nil, fmt.Errorf("--kubeconfig: %w", err)
		}
	}
	from := "HEAD"
	if against.base != "" {
		if from, err = leftAt(ctx, tree.Dir(), against.base); err != nil {
			return nil, nil, err
		}
		paths, err := changedSince(ctx, tree.Dir(), from)
		if err != nil {
			return nil, nil, err
		}
		o.Only = func(g *workspace.Graph) ([]string, error) { return g.Affected(paths, nil), nil }
	}
	if base, err = a.baseTree(ctx, tree.Dir(), from); err != nil {
		return nil, nil, err
	}
	o.Base = tree // where nobody knows what was there before, nothing is new
	if base != nil {
		o.Base = base
	}
	return o, base, nil
}

// baseTree is what a commit holds of the directory; nil where there is no commit at all.
func (a *app) baseTree(ctx context.Context, dir, commit string) (*committed, error) {
	if _, err := git(ctx, dir, "rev-parse", "--verify", "--quiet", "--end-of-options", commit+"^{commit}"); err != nil {
		a.note("note: %s has no commit: preflight cannot tell what is new, and looks at the lists of what may be used alone", dir)
		return nil, nil
	}
	return committedIn(ctx, dir, commit)
}

// personsCLIConfig is the Terraform CLI configuration that terraform itself would
// read: a person's own plan uses their own mirrors and credentials.
func (a *app) personsCLIConfig() string {
	path, named := a.env("TF_CLI_CONFIG_FILE")
	if home, ok := a.env("HOME"); !named && ok {
		path = filepath.Join(home, ".terraformrc")
	}
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// optionalConfig loads the server's configuration where there is one. One that
// nobody named and that cannot be used (a secret may be the server's alone) is
// said and left out.
func (a *app) optionalConfig() (*serverconfig.Config, error) {
	path, named := a.configIfAny()
	switch {
	case path == "":
		return nil, nil
	case named:
		return a.load(false)
	}
	cfg, _, diags := serverconfig.Load(path, a.env)
	if diags.HasErrors() {
		a.note("note: %s is not used: it has errors (mooring validate %s)", path, path)
	}
	return cfg, nil
}

// serverRepository is the name that a person gave, else that of the only repository
// there is.
func serverRepository(cfg *serverconfig.Config, repository string) string {
	if repository == "" && len(cfg.Repositories) == 1 {
		return cfg.Repositories[0].Name
	}
	return repository
}

// nameOf is the server's name of this repository. A plan on the server's machine is
// one against the states that are kept under that name; "" where it is not known.
func nameOf(cfg *serverconfig.Config, repository string) (string, error) {
	name := serverRepository(cfg, repository)
	known := slices.ContainsFunc(cfg.Repositories, func(r serverconfig.Repository) bool { return r.Name == name })
	if name != "" && !known {
		return "", fmt.Errorf("the server's configuration has no repository %q", name)
	}
	return name, nil
}

// configIfAny is the server's configuration that a command may use but does not
// need: named is true when a person asked for it.
func (a *app) configIfAny() (path string, named bool) {
	path = a.configPath()
	if a.config != "" || path != "server.hcl" {
		return path, true
	}
	if _, err := os.Stat(path); err != nil {
		return "", false
	}
	return path, false
}
