package workspace

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

type unitJSON struct {
	ID        string `json:"id"`
	Kind      Kind   `json:"kind"`
	Dir       string `json:"dir,omitempty"`
	Workspace string `json:"workspace,omitempty"`
	Path      string `json:"path,omitempty"`
	Cluster   string `json:"cluster,omitempty"`
	AutoApply string `json:"auto_apply,omitempty"`
	Backend   string `json:"backend,omitempty"`
	State     string `json:"state,omitempty"`
	Tool      string `json:"tool,omitempty"`
	Error     string `json:"error,omitempty"`
}

// JSON is what `mooring graph -o json` prints. files, from Files, is left out when nil.
func (g *Graph) JSON(files map[string][]string) ([]byte, error) {
	doc := struct {
		Units    []unitJSON          `json:"units"`
		Edges    []Edge              `json:"edges"`
		Files    map[string][]string `json:"files,omitempty"`
		Warnings []Warning           `json:"warnings"`
	}{Units: []unitJSON{}, Edges: g.Edges, Files: files, Warnings: g.Warnings}
	for _, u := range g.Units {
		j := unitJSON{ID: u.ID, Kind: u.Kind, Dir: u.Dir, Workspace: u.Workspace, Path: u.Path, Cluster: u.Cluster,
			AutoApply: u.AutoApply, State: u.StateIdentity()}
		if u.Module != nil {
			j.Backend, j.Tool = u.Module.Backend.Type, u.Module.Tool
		}
		if u.Err != nil {
			j.Error = u.Err.Error()
		}
		doc.Units = append(doc.Units, j)
	}
	if doc.Edges == nil {
		doc.Edges = []Edge{}
	}
	if doc.Warnings == nil {
		doc.Warnings = []Warning{}
	}
	return json.MarshalIndent(doc, "", "  ")
}

// WriteDot writes the graph for Graphviz: boxes are workspaces, ellipses manifest sets.
func (g *Graph) WriteDot(w io.Writer) error {
	var b strings.Builder
	b.WriteString("digraph mooring {\n  rankdir = \"LR\";\n")
	for _, u := range g.Units {
		shape := "box"
		if u.Kind == KindManifests {
			shape = "ellipse"
		}
		color := ""
		if u.Err != nil {
			color = ", color = \"red\""
		}
		fmt.Fprintf(&b, "  %s [shape = %q%s];\n", dotString(u.ID), shape, color)
	}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "  %s -> %s [label = %q];\n", dotString(e.From), dotString(e.To), e.Why)
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func dotString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// WriteText writes the graph for a person: units by the stage in which they can run
// at the earliest, what each waits for and why, then the warnings.
func (g *Graph) WriteText(w io.Writer) error {
	var b strings.Builder
	workspaces, sets := 0, 0
	for _, u := range g.Units {
		if u.Kind == KindManifests {
			sets++
		} else {
			workspaces++
		}
	}
	fmt.Fprintf(&b, "%s, %s, %s\n", count(workspaces, "workspace"), count(sets, "manifest set"), count(len(g.Edges), "edge"))
	stages := g.stages()
	width := 0
	for _, u := range g.Units {
		width = max(width, min(len(u.ID), 48))
	}
	why := map[string][]string{}
	for _, e := range g.Edges {
		why[e.To+"\x00"+e.From] = append(why[e.To+"\x00"+e.From], fmt.Sprintf("%s %s:%d", e.Why, e.File, e.Line))
	}
	for i, stage := range stages {
		fmt.Fprintf(&b, "\nstage %d\n", i+1)
		for _, id := range stage {
			u := g.byID[id]
			fmt.Fprintf(&b, "  %-*s  %s\n", width, id, u.describe())
			for _, up := range g.upstream[id] {
				fmt.Fprintf(&b, "  %-*s    after %s (%s)\n", width, "", up, strings.Join(why[id+"\x00"+up], ", "))
			}
			if u.Err != nil {
				fmt.Fprintf(&b, "  %-*s    error: %s\n", width, "", u.Err)
			}
		}
	}
	if len(g.Warnings) > 0 {
		fmt.Fprintf(&b, "\n%s\n", count(len(g.Warnings), "warning"))
		for _, warning := range g.Warnings {
			fmt.Fprintf(&b, "  %s\n", warning)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (u *Unit) describe() string {
	if u.Kind == KindManifests {
		text := "manifests in " + u.Path
		switch {
		case u.Kubeconfig:
			text += ", cluster from an output"
		case u.Cluster != "":
			text += ", cluster " + u.Cluster
		}
		return text
	}
	text := "terraform in " + u.Dir
	if u.Module.Tool == "tofu" {
		text = "tofu in " + u.Dir
	}
	if u.Workspace != defaultWorkspace {
		text += ", workspace " + u.Workspace
	}
	return text
}

// stages puts every unit right after the last one it waits for.
func (g *Graph) stages() [][]string {
	level := map[string]int{}
	var out [][]string
	for _, id := range g.order {
		n := 0
		for _, up := range g.upstream[id] {
			n = max(n, level[up]+1)
		}
		level[id] = n
		for len(out) <= n {
			out = append(out, nil)
		}
		out[n] = append(out[n], id)
	}
	return out
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
