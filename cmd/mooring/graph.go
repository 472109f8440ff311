package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/workspace"
)

func (a *app) graphCommand() *cobra.Command {
	var files bool
	cmd := &cobra.Command{
		Use:     "graph [DIR]",
		GroupID: "repository",
		Short:   "Print the units of a working copy and what each waits for",
		Long: `Reads the working copy as it lies, committed or not, ignored files left out. Starts
nothing: everything is learnt from the text of the files, and what that does not tell
is a warning with file and line.`,
		Example: `  mooring graph
  mooring graph examples/shop --files
  mooring graph -o json
  mooring graph -o dot | dot -Tsvg > graph.svg`,
		Args:              arguments(0, 1, "[DIR]"),
		ValidArgsFunction: completeDirectories,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.graph(cmd.Context(), directory(args), files)
		},
	}
	cmd.Flags().BoolVar(&files, "files", false, "also which files affect which units")
	return a.withOutput(cmd, "dot")
}

func (a *app) graph(ctx context.Context, dir string, files bool) error {
	tree, err := workspace.WorkingCopy(dir)
	if err != nil {
		return a.failed(err)
	}
	g, err := workspace.NewScanner(workspace.ScannerOptions{}).Scan(ctx, tree)
	if err != nil {
		return a.failed(err)
	}
	var affects map[string][]string
	if files {
		if affects, err = g.Files(tree); err != nil {
			return a.failed(err)
		}
	}
	if a.format == "dot" {
		err = report.Dot(a.stdout, g)
	} else {
		err = a.print(report.NewGraph(g, affects), func(w io.Writer, s report.Style) error { return report.GraphText(w, g, affects, s) })
	}
	return errors.Join(err, brokenUnits(g))
}

// brokenUnits is what keeps units of a graph from being read.
func brokenUnits(g *workspace.Graph) error {
	all := &workspace.ConfigError{}
	for _, u := range g.Units {
		var broken *workspace.ConfigError
		if errors.As(u.Err, &broken) {
			addBroken(all, broken)
		}
	}
	if len(all.Diags) == 0 {
		return nil
	}
	return all
}
