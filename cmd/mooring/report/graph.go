package report

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/mooring-iac/mooring/workspace"
)

// Graph is the JSON of `mooring graph`.
type Graph struct {
	Units    []GraphUnit         `json:"units"`
	Edges    []workspace.Edge    `json:"edges"`
	Files    map[string][]string `json:"files,omitempty"`
	Warnings []workspace.Warning `json:"warnings"`
}

// GraphUnit is one unit of it.
type GraphUnit struct {
	ID        string `json:"id"`
	Kind      string `json:"kind"`
	Dir       string `json:"dir,omitempty"`
	Workspace string `json:"workspace,omitempty"`
	Path      string `json:"path,omitempty"`
	Cluster   string `json:"cluster,omitempty"`
	Error     string `json:"error,omitempty"` // why it cannot be run
}

// NewGraph is a graph as it is printed; files may be nil.
func NewGraph(g *workspace.Graph, files map[string][]string) Graph {
	out := Graph{Units: []GraphUnit{}, Edges: append([]workspace.Edge{}, g.Edges...), Files: files, Warnings: append([]workspace.Warning{}, g.Warnings...)}
	for _, u := range g.Units {
		gu := GraphUnit{ID: u.ID, Kind: string(u.Kind), Dir: u.Dir, Workspace: u.Workspace, Path: u.Path, Cluster: u.Cluster}
		if u.Err != nil {
			gu.Error = u.Err.Error()
		}
		out.Units = append(out.Units, gu)
	}
	return out
}

// GraphText prints the units in the order in which they run, each with what it
// waits for, then the warnings. files may be nil.
func GraphText(w io.Writer, g *workspace.Graph, files map[string][]string, s Style) error {
	p := &page{Options: Options{Style: s}}
	if len(g.Units) == 0 {
		p.line("No units: no root module, no manifests.")
	}
	wide := 0
	for _, u := range g.Units {
		wide = max(wide, min(columns(CleanLine(u.ID)), 40))
	}
	for _, id := range g.Order() {
		u := g.Unit(id)
		p.line("%s", strings.TrimRight(p.paint(bold, pad(CleanLine(id), wide))+"  "+p.paint(dim, describe(u)), " "))
		p.edges(g, id)
		if refused := new(workspace.RefusedError); errors.As(u.Err, &refused) {
			p.text(under, red, u.Err.Error())
		}
	}
	if len(files) > 0 {
		p.line("")
		p.line("Files:")
		for _, f := range slices.Sorted(maps.Keys(files)) {
			p.line("  %s  %s", CleanLine(f), p.paint(dim, CleanLine(strings.Join(files[f], ", "))))
		}
	}
	if len(g.Warnings) > 0 {
		p.line("")
		p.line("%s", p.paint(yellow, plural(len(g.Warnings), "warning")+":"))
		for _, warning := range g.Warnings {
			p.text("  ", "", warning.String())
		}
	}
	_, err := io.WriteString(w, p.String())
	return err
}

func describe(u *workspace.Unit) string {
	if u.Kind == workspace.KindManifests {
		return CleanLine("manifests " + u.Path)
	}
	text := "workspace " + u.Dir
	if u.Workspace != "" && u.Workspace != "default" {
		text += ", Terraform workspace " + u.Workspace
	}
	return CleanLine(text)
}

func (p *page) edges(g *workspace.Graph, id string) {
	for _, e := range g.Edges {
		if e.To == id {
			p.line("    after %s %s", CleanLine(e.From), p.paint(dim, CleanLine(fmt.Sprintf("(%s, %s:%d)", strings.ReplaceAll(e.Why, "_", " "), e.File, e.Line))))
		}
	}
}

// Dot prints the graph for Graphviz; an arrow leads to what runs after.
func Dot(w io.Writer, g *workspace.Graph) error {
	var b strings.Builder
	b.WriteString("digraph mooring {\n  rankdir = LR;\n  node [shape = box, fontname = \"sans-serif\"];\n")
	for _, u := range g.Units {
		shape := ""
		if u.Kind == workspace.KindManifests {
			shape = " [shape = component]"
		}
		fmt.Fprintf(&b, "  %s%s;\n", dotID(u.ID), shape)
	}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "  %s -> %s [label = %s];\n", dotID(e.From), dotID(e.To), dotID(strings.ReplaceAll(e.Why, "_", " ")))
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func dotID(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(CleanLine(s)) + `"`
}
