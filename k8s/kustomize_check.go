package k8s

import (
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"
)

// checkKustomization refuses, before kustomize runs, whatever would make it leave the repository: it fetches
// URLs and clones Git addresses by itself and has no switch against that. Every path that a kustomization names
// must be a file or directory of the repository, and may not look like an address. It follows bases and
// components; seen collects the directories visited.
func (t *tree) checkKustomization(dir string, seen map[string]bool) []*SourceError {
	if seen[dir] {
		return nil
	}
	seen[dir] = true
	file := t.kustomizationOf(dir)
	data, err := t.read(file)
	if err != nil {
		return []*SourceError{{File: file, Message: "read: " + plainFileError(err)}}
	}
	var k types.Kustomization
	if err := k.Unmarshal(data); err != nil {
		if _, faults := parse(file, data); len(faults) > 0 {
			return faults // broken YAML, with its line
		}
		return []*SourceError{{File: file, Message: "not a kustomization: " + firstLine(err)}}
	}
	k.FixKustomization()
	c := &kustomizationCheck{tree: t, dir: dir, file: file, text: string(data), seen: seen}
	c.check(&k)
	return c.faults
}

type kustomizationCheck struct {
	tree      *tree
	dir, file string
	text      string
	seen      map[string]bool
	faults    []*SourceError
}

func (c *kustomizationCheck) check(k *types.Kustomization) {
	if len(k.HelmCharts) > 0 || len(k.HelmChartInflationGenerator) > 0 || k.HelmGlobals != nil {
		c.fault("helm", "Helm charts are not rendered inside a kustomization; make the chart a set of its own (a manifests block whose path holds Chart.yaml), or commit what `helm template` prints and list it under resources")
	}
	//lint:ignore SA1019 people still write it, so it must be checked
	for _, p := range append(append(append([]string{}, k.Resources...), k.Bases...), k.Components...) {
		if local := c.local(p); local != "" && !c.tree.isFile(local) {
			c.base(p, local)
		}
	}
	for _, list := range [][]string{k.Generators, k.Transformers, k.Validators} {
		for _, p := range list {
			c.plugin(p)
		}
	}
	for _, list := range [][]string{k.Crds, k.Configurations} {
		for _, p := range list {
			c.local(p)
		}
	}
	//lint:ignore SA1019 people still write it, so it must be checked
	for _, p := range k.PatchesStrategicMerge {
		if !strings.Contains(string(p), "\n") {
			c.local(string(p))
		}
	}
	//lint:ignore SA1019 people still write it, so it must be checked
	for _, p := range append(append([]types.Patch{}, k.Patches...), k.PatchesJson6902...) {
		c.optional(p.Path)
	}
	for _, r := range k.Replacements {
		c.optional(r.Path)
	}
	c.optional(k.OpenAPI["path"])
	for _, g := range k.ConfigMapGenerator {
		c.sources(g.KvPairSources)
	}
	for _, g := range k.SecretGenerator {
		c.sources(g.KvPairSources)
	}
}

// base follows a directory listed under resources.
func (c *kustomizationCheck) base(entry, local string) {
	if c.tree.kustomizationOf(local) == "" {
		c.fault(entry, "the directory "+local+" holds no kustomization.yaml; list its files, or give it one")
		return
	}
	if strings.HasPrefix(c.dir+"/", local+"/") {
		c.fault(entry, "cycle: "+local+" contains this kustomization")
		return
	}
	c.faults = append(c.faults, c.tree.checkKustomization(local, c.seen)...)
}

// plugin checks the file, or inline text, that configures a builtin generator or transformer: it can name
// files itself, so no text in it may look like an address.
func (c *kustomizationCheck) plugin(entry string) {
	text := entry
	if !strings.Contains(entry, "\n") {
		local := c.local(entry)
		if local == "" {
			return
		}
		data, err := c.tree.read(local)
		if err != nil {
			c.fault(entry, "generators, transformers and validators must be files of the repository: "+plainFileError(err))
			return
		}
		text = string(data)
	}
	dec := yaml.NewDecoder(strings.NewReader(text))
	for {
		var n yaml.Node
		if dec.Decode(&n) != nil {
			return // kustomize says what is wrong with it
		}
		if api := scalarAt(n.Content[0], "apiVersion"); api != "builtin" {
			c.fault(entry, "only builtin plugins run here, this one is "+api)
		}
		c.noAddress(entry, &n)
	}
}

func (c *kustomizationCheck) noAddress(entry string, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && !strings.Contains(n.Value, "\n") && (strings.Contains(n.Value, "://") || looksRemote(n.Value)) {
		c.fault(entry, "a plugin configuration may not name the address "+n.Value)
	}
	for _, child := range n.Content {
		c.noAddress(entry, child)
	}
}

func (c *kustomizationCheck) sources(s types.KvPairSources) {
	for _, f := range s.FileSources {
		if _, p, hasKey := strings.Cut(f, "="); hasKey {
			f = p
		}
		c.local(f)
	}
	for _, f := range s.EnvSources {
		c.local(f)
	}
	c.optional(s.EnvSource)
}

func (c *kustomizationCheck) optional(p string) {
	if p != "" {
		c.local(p)
	}
}

// local is the repository path that an entry names, or "" after a fault.
func (c *kustomizationCheck) local(entry string) string {
	if looksRemote(entry) {
		c.fault(entry, entry+" is a remote address; nothing is fetched while rendering: copy it into the repository")
		return ""
	}
	if path.IsAbs(entry) || escapes(c.dir, entry) {
		c.fault(entry, entry+" lies outside the repository")
		return ""
	}
	p := path.Join(c.dir, entry)
	if _, err := c.tree.root.Stat(p); err != nil {
		c.fault(entry, entry+": "+plainFileError(err))
		return ""
	}
	return p
}

// escapes tells whether an entry of dir climbs above the repository's root.
func escapes(dir, entry string) bool {
	p := path.Join(dir, entry)
	return p == ".." || strings.HasPrefix(p, "../")
}

// looksRemote recognises everything kustomize would fetch or clone, and a little more: a scheme, an scp-like
// user@host:path, a GitHub address without a scheme.
func looksRemote(entry string) bool {
	first, _, _ := strings.Cut(entry, "/")
	lower := strings.ToLower(strings.TrimSpace(first))
	return strings.Contains(entry, "://") || strings.ContainsAny(first, ":@") ||
		strings.HasPrefix(lower, "github.com") || strings.HasPrefix(lower, "www.github.com")
}

func (c *kustomizationCheck) fault(entry, message string) {
	c.faults = append(c.faults, &SourceError{File: c.file, Line: lineOfText(c.text, entry), Message: message})
}

// lineOfText is the first line that holds the text, or 0.
func lineOfText(text, want string) int {
	want, _, _ = strings.Cut(want, "\n")
	for i, line := range strings.Split(text, "\n") {
		if want != "" && strings.Contains(line, want) {
			return i + 1
		}
	}
	return 0
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
