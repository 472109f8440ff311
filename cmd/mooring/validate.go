package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/cmd/mooring/serverconfig"
	"github.com/mooring-iac/mooring/internal/charts"
	"github.com/mooring-iac/mooring/runner"
	"github.com/mooring-iac/mooring/workspace"
)

func (a *app) validateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "validate [DIR|FILE]",
		GroupID: "repository",
		Short:   "Check both kinds of configuration, and the manifests",
		Long: `Given a directory (default: this one), checks the working copy in it: mooring.hcl,
the Terraform files as far as Mooring reads them, the dependencies, the manifests; and
a server.hcl beside them. Given a file, checks that one: a mooring.hcl with its
repository, or a server's configuration. All problems are said at once. Nothing is
started and nothing is asked of a cluster or a remote.

Exit: 0 valid, 2 invalid.`,
		Example: `  mooring validate
  mooring validate ../infra -c server.hcl
  mooring validate server.hcl -o json`,
		Args: arguments(0, 1, "[DIR|FILE]"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.validate(cmd.Context(), args) },
	}
	return a.withOutput(cmd)
}

func (a *app) validate(ctx context.Context, args []string) error {
	dir, file, err := a.subjects(args)
	if err != nil {
		return a.failed(err)
	}
	v := &validation{files: map[string]*hcl.File{}}
	if file != "" {
		v.server(file, a.env)
	}
	if dir != "" {
		if err := v.repository(ctx, dir); err != nil {
			return a.failed(err)
		}
	}
	if err := a.printValidation(v); err != nil {
		return err
	}
	if v.diags.HasErrors() {
		return &exitError{code: 2}
	}
	return nil
}

// subjects says which working copy and which server's configuration are meant;
// "" for none.
func (a *app) subjects(args []string) (dir, file string, err error) {
	file = a.config
	if len(args) == 0 {
		if path, named := a.configIfAny(); named || path != "" {
			file = path
		}
		return ".", file, nil
	}
	info, err := os.Stat(args[0])
	switch {
	case err != nil:
		return "", "", err
	case info.IsDir():
		beside := filepath.Join(args[0], "server.hcl")
		if _, err := os.Stat(beside); err == nil && file == "" {
			file = beside
		}
		return args[0], file, nil
	case filepath.Base(args[0]) == workspace.ConfigFile:
		return filepath.Dir(args[0]), file, nil
	case filepath.Ext(args[0]) == ".hcl":
		return "", args[0], nil
	}
	return "", "", fmt.Errorf("validate %s: give a directory, a mooring.hcl, or a server's configuration", args[0])
}

// validation collects what is wrong, with the sources that may be shown.
type validation struct {
	config *serverconfig.Config // nil when there is none, or it is broken
	graph  *workspace.Graph     // nil when there is none, or it is broken
	diags  hcl.Diagnostics
	files  map[string]*hcl.File
}

func (v *validation) server(path string, env serverconfig.Lookup) {
	cfg, files, diags := serverconfig.Load(path, env)
	v.config = cfg
	v.diags = append(v.diags, diags...)
	maps.Copy(v.files, files)
	if cfg != nil {
		if err := serverconfig.CheckDataDir(cfg.DataDir); err != nil {
			v.add(hcl.DiagError, "", 0, err.Error())
		}
	}
}

// repository checks a working copy. The error is one of reading it at all.
func (v *validation) repository(ctx context.Context, dir string) error {
	tree, err := workspace.WorkingCopy(dir)
	if err != nil {
		return err
	}
	if err := v.links(tree); err != nil {
		return err
	}
	g, err := workspace.NewScanner(workspace.ScannerOptions{Clusters: v.clusters(), HealthFaults: runner.HealthFaults, ChartFaults: runner.ChartFaults(v.charts())}).Scan(ctx, tree)
	if broken := new(workspace.ConfigError); errors.As(err, &broken) {
		v.broken(broken)
		return nil
	}
	if err != nil {
		return err
	}
	v.graph = g
	for _, u := range g.Units {
		v.unit(tree.Dir(), u)
	}
	for _, w := range g.Warnings {
		v.add(hcl.DiagWarning, w.File, w.Line, w.Message)
	}
	return nil
}

// links finds symbolic links that leave the repository: a commit with one is not
// checked out.
func (v *validation) links(tree *workspace.DirTree) error {
	return tree.Walk(func(p string, mode fs.FileMode, _ string) error {
		if mode&fs.ModeSymlink == 0 {
			return nil
		}
		target, err := tree.ReadLink(p)
		if err != nil {
			return err
		}
		to := path.Join(path.Dir(p), target)
		if path.IsAbs(target) || to == ".." || strings.HasPrefix(to, "../") {
			v.add(hcl.DiagError, "", 0, fmt.Sprintf("%s: a symbolic link to %s leaves the repository: make it point inside, or remove it", p, target))
		}
		return nil
	})
}

// clusters are the names that manifests may use; nil when they are not known.
func (v *validation) clusters() []string {
	if v.config == nil {
		return nil
	}
	names := []string{}
	for _, c := range v.config.Clusters {
		names = append(names, c.Name)
	}
	return names
}

// charts is the allowlist of charts; nil when it is not known.
func (v *validation) charts() charts.Allowlist {
	if v.config == nil {
		return nil
	}
	return append(charts.Allowlist{}, v.config.Charts.Allow...)
}

func (v *validation) unit(root string, u *workspace.Unit) {
	var broken *workspace.ConfigError
	var refused *workspace.RefusedError
	switch {
	case errors.As(u.Err, &broken):
		v.broken(broken)
		return
	case errors.As(u.Err, &refused):
		v.add(hcl.DiagError, refused.File, refused.Line, refused.Error())
		return
	case u.Err != nil:
		v.add(hcl.DiagError, u.File, u.Line, u.Err.Error())
		return
	}
	if u.Kind == workspace.KindManifests {
		v.manifests(root, u)
		if v.config != nil && len(v.config.Clusters) > 0 {
			v.faults(u, runner.CheckCluster(clusterConfigs(v.config), serverRepository(v.config, ""), u))
		}
		if v.config != nil && len(v.config.Clusters) == 0 && !u.Kubeconfig {
			v.add(hcl.DiagWarning, u.File, u.Line, fmt.Sprintf("manifests %s: no cluster is configured: the server's configuration has no cluster block", u.ID))
		}
	}
}

func (v *validation) broken(e *workspace.ConfigError) {
	v.diags = append(v.diags, e.Diags...)
	maps.Copy(v.files, e.Files)
}

func addBroken(all, e *workspace.ConfigError) {
	if all.Files == nil {
		all.Files = map[string]*hcl.File{}
	}
	all.Diags = append(all.Diags, e.Diags...)
	maps.Copy(all.Files, e.Files)
}

func (v *validation) add(severity hcl.DiagnosticSeverity, file string, line int, text string) {
	d := &hcl.Diagnostic{Severity: severity, Summary: text}
	if file != "" {
		d.Subject = &hcl.Range{Filename: file, Start: hcl.Pos{Line: line, Column: 1}, End: hcl.Pos{Line: line, Column: 1}}
	}
	v.diags = append(v.diags, d)
}

func (a *app) printValidation(v *validation) error {
	return a.print(report.NewValidation(v.diags), func(w io.Writer, s report.Style) error {
		if err := report.Diagnostics(a.stderr, v.diags, v.files, a.style(a.stderr)); err != nil {
			return err
		}
		return report.ValidationSum(w, v.diags, v.config, v.graph, s)
	})
}
