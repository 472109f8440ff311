package workspace

import (
	"path"
	"slices"
	"strings"
)

// remoteStates finds which states a module instance reads.
func (a *analysis) remoteStates(sc *scope) {
	for _, block := range sc.mod.states() {
		all, why := sc.instances(block.fact.repeat)
		for _, one := range all {
			inner := *sc
			inner.block = one
			a.remoteState(&inner, block, why)
		}
	}
}

func (a *analysis) remoteState(sc *scope, block placed[stateBlock], instancesWhy string) {
	name := "data.terraform_remote_state." + block.fact.name
	kind, why := sc.text(block.fact.backend)
	if why != "" {
		a.warn(block.file, block.fact.line, "%s: its backend cannot be told: %s", name, why)
		return
	}
	workspace := defaultWorkspace
	if block.fact.workspace.set() {
		k := sc.eval(block.fact.workspace)
		if !k.value.IsNull() {
			if workspace, why = sc.text(block.fact.workspace); why != "" {
				a.warn(block.file, block.fact.line, "%s: its workspace cannot be told: %s", name, orText(instancesWhy, why))
				return
			}
		}
	}
	config := sc.eval(block.fact.config)
	if !config.value.IsKnown() {
		a.warn(block.file, block.fact.line, "%s: its config cannot be told: %s", name, orText(instancesWhy, config.why))
		return
	}
	cfg, unresolved := flatten("", config.value, nil)
	if kind == "remote" || kind == "cloud" {
		a.warn(block.file, block.fact.line, "%s reads a state that a remote service keeps; whether a workspace here owns it cannot be told", name)
		return
	}
	id := identify(kind, cfg, unresolved, workspace, a.pathOf)
	if id.missing != "" {
		a.warn(block.file, block.fact.line, "%s: %s cannot be told: %s", name, id.missing, orText(instancesWhy, orText(config.why, "it is not set")))
		return
	}
	if id.path != "" {
		a.out.LocalStatePaths = append(a.out.LocalStatePaths, id.path)
	}
	if outside := strings.TrimPrefix(id.name, "local:"); kind == "local" && path.IsAbs(outside) {
		a.out.OutsideStatePaths = append(a.out.OutsideStatePaths, outside)
	}
	id.name, id.where = a.scan.in.intern(id.name), a.scan.in.intern(id.where)
	read := stateRead{id: id, name: a.scan.in.intern(block.fact.name), file: a.scan.in.intern(block.file), line: int(block.fact.line)}
	if !slices.Contains(a.out.reads, read) {
		a.out.reads = append(a.out.reads, read)
	}
}
