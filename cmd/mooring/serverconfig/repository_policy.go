package serverconfig

import (
	"path"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
)

// RepositoryPolicy says what is asked of a repository's changes.
type RepositoryPolicy struct {
	Dir          string   // in the repository; "" is policy
	Namespaces   []string // none is "main", "*" is all
	V0           bool     // the syntax of Rego before 1.0
	Required     bool     // where it has no rule, nothing passes
	SelfApproval bool     // an author's own yes counts
	Preflight    string   // ask, deny or off; "" is ask

	// What may be used, as patterns. nil: what the branch uses; an empty list: nothing.
	Providers, Modules, Backends, DataSources, Provisioners, RemoteStates, Functions []string
}

// uses are the lists of what a repository may use.
var uses = []string{"providers", "modules", "backends", "data_sources", "provisioners", "remote_states", "functions"}

var repositoryPolicySchema = attributes("dir", "namespaces", "rego", "required", "self_approval", "preflight",
	"providers", "modules", "backends", "data_sources", "provisioners", "remote_states", "functions")

func (d *decoder) repositoryPolicy(b *hcl.Block) RepositoryPolicy {
	at := d.single(b, repositoryPolicySchema)
	p := RepositoryPolicy{
		Dir:          d.below(at["dir"]),
		Namespaces:   d.namespaces(at["namespaces"]),
		V0:           d.oneOf(at["rego"], "v1", "v0") == "v0",
		Required:     d.flag(at["required"]),
		SelfApproval: d.flag(at["self_approval"]),
		Preflight:    d.oneOf(at["preflight"], "ask", "deny", "off"),
		Providers:    d.allowed(at["providers"]),
		Modules:      d.allowed(at["modules"]),
		Backends:     d.allowed(at["backends"]),
		DataSources:  d.allowed(at["data_sources"]),
		Provisioners: d.allowed(at["provisioners"]),
		RemoteStates: d.allowed(at["remote_states"]),
		Functions:    d.allowed(at["functions"]),
	}
	if p.Preflight == "off" {
		d.unused(at, "what a pull request is looked at for, and preflight is \"off\"", uses...)
	}
	return p
}

// below is a directory of a repository.
func (d *decoder) below(a *hcl.Attribute) string {
	p := d.text(a)
	if p == "" {
		return ""
	}
	if !filepath.IsLocal(p) || path.Clean(p) != p || p == "." || strings.Contains(p, `\`) {
		d.fail(a.Expr.Range(), "Bad path", a.Name+" is a directory of the repository, from its top: \"policy\" or \"ci/policy\".")
		return ""
	}
	return p
}

// allowed is a list that is the whole of what may be; an empty one allows nothing.
func (d *decoder) allowed(a *hcl.Attribute) []string {
	before := len(d.diags)
	items := d.items(a)
	if a == nil || len(d.diags) > before {
		return nil
	}
	all := []string{}
	for _, i := range items {
		_, err := path.Match(i.text, "")
		if err != nil || i.text == "" || strings.TrimSpace(i.text) != i.text || strings.ContainsFunc(i.text, unicode.IsControl) {
			d.fail(i.at, "Not a pattern", a.Name+" holds names without spaces around them; * stands for any characters but /, and ** at the end for all that follow.")
			continue
		}
		all = append(all, i.text)
	}
	return all
}
