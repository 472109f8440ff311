package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/policies/engine"
	"github.com/mooring-iac/mooring/policies/output"
)

func (a *app) policyTestCommand() *cobra.Command {
	var namespaces []string
	var rego string
	cmd := &cobra.Command{
		Use:   "test [DIR]",
		Short: "Run the Rego tests of a directory of policies, with coverage",
		Long: `Loads the policies of DIR (./policy) as a server would, then runs their tests: rules
whose names begin with test_, in files that end in _test.rego. Says which lines of
the policies no test went through. Neither a server nor its configuration is needed.

Exit: 0 all tests passed, 1 one failed, there is none, or the policies do not load.`,
		Example: `  mooring policy test
  mooring policy test ci/policy --namespace main --namespace org.network
  mooring policy test old --rego v0
  mooring policy test -o junit > policy-tests.xml
  mooring policy test -o sarif > policy-tests.sarif`,
		Args:              arguments(0, 1, "[DIR]"),
		ValidArgsFunction: completeDirectories,
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "policy"
			if len(args) == 1 {
				dir = args[0]
			}
			if !slices.Contains([]string{"v0", "v1"}, rego) {
				return fmt.Errorf("--rego is %q: use v1 or v0", rego)
			}
			return a.policyTest(cmd.Context(), engine.Source{Dir: filepath.ToSlash(dir), Namespaces: namespaces, V0: rego == "v0"})
		},
	}
	cmd.Flags().StringArrayVar(&namespaces, "namespace", nil, `a package whose rules a server asks; can be repeated, "*" is all (default main)`)
	cmd.Flags().StringVar(&rego, "rego", "v1", "the syntax of Rego that files are written in: v1 or v0")
	// Fails only for a flag that is not there.
	_ = cmd.RegisterFlagCompletionFunc("rego", cobra.FixedCompletions([]string{"v1", "v0"}, cobra.ShellCompDirectiveNoFileComp))
	return a.withOutput(cmd, "sarif", "junit")
}

// policyTest tests the policies in the source's directory.
func (a *app) policyTest(ctx context.Context, s engine.Source) error {
	info, err := os.Stat(s.Dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory", s.Dir)
	}
	if err != nil {
		return a.failed(fmt.Errorf("policies: %w: name the directory that they are in", err))
	}
	root, err := os.OpenRoot(s.Dir)
	if err != nil {
		return a.failed(err)
	}
	defer root.Close()
	s.Files = root.FS()
	// Tests that pass say nothing of policies that a server would refuse.
	if _, err := engine.Load(ctx, []engine.Source{s}, engine.Options{}); err != nil {
		return a.failed(withRemedies(err))
	}
	tested, err := engine.Test(ctx, []engine.Source{s}, engine.Options{})
	if err != nil {
		return a.failed(withRemedies(err))
	}
	switch a.format {
	case "junit":
		err = report.PolicyTestsJUnit(a.out(), tested)
	case "sarif":
		err = output.SARIF(a.out(), buildVersion(), failedTests(tested))
	default:
		err = a.print(tested, func(w io.Writer, st report.Style) error { return report.PolicyTests(w, tested, st) })
	}
	if err == nil && tested.Failed() {
		err = &exitError{code: 1}
	}
	return err
}

// failedTests are the tests that did not pass, as a code host shows them. Where there is no test, that says so.
func failedTests(r engine.TestReport) []output.Result {
	if len(r.Tests) == 0 {
		return []output.Result{{Unit: "policy", Verdict: failure("test.missing", "there is no test")}}
	}
	var all []output.Result
	for _, t := range r.Tests {
		if t.Passed || t.Skipped {
			continue
		}
		failed := failure(t.Package+"."+t.Name, cmp.Or(t.Error, "the test is not true"))
		failed.Findings[0].File, failed.Findings[0].Line = t.File, t.Line
		all = append(all, output.Result{Unit: t.Package, Verdict: failed})
	}
	return all
}

// withRemedies says of each problem what to do about it, where that is known.
func withRemedies(err error) error {
	var load *engine.LoadError
	if !errors.As(err, &load) {
		return err
	}
	var lines []string
	for i, p := range load.Problems {
		lines = append(lines, p.String())
		if last := i == len(load.Problems)-1; p.Remedy != "" && (last || load.Problems[i+1].Remedy != p.Remedy) {
			lines = append(lines, p.Remedy)
		}
	}
	return errors.New(strings.Join(lines, "\n"))
}
