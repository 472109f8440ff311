package preflight

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/go-version"

	"github.com/mooring-iac/mooring/policies"
)

// Use is one thing of the world outside its files that a root module uses.
type Use struct {
	Kind    string
	Name    string
	Source  string
	Version string
	Digest  string // an equal one does the same
	File    string
	Line    int
}

// kind says of one kind of use which list is about it, and how it is spoken of.
type kind struct {
	list   func(Rules) []string // nil: no list is about it
	title  func(Use) string
	remedy string
	never  bool // nobody's yes lets it pass
}

var kinds = map[string]kind{
	"provider":     {func(r Rules) []string { return r.Providers }, func(u Use) string { return "the provider " + u.Source }, "init fetches it, and every command runs it", false},
	"lock_file":    {nil, func(u Use) string { return strings.TrimSpace("the lock on " + u.Name + " " + u.Version) }, "other checksums are another program", false},
	"module":       {func(r Rules) []string { return r.Modules }, moduleTitle, "pin it: an exact version, or ref=COMMIT", false},
	"backend":      {func(r Rules) []string { return r.Backends }, func(u Use) string { return "the backend " + u.Name }, "the state would be elsewhere", false},
	"data":         {func(r Rules) []string { return r.DataSources }, func(u Use) string { return u.Name }, "it reads, or runs, when it is planned", false},
	"provisioner":  {func(r Rules) []string { return r.Provisioners }, func(u Use) string { return u.Name }, "it runs when it is applied", false},
	"exec":         {func(r Rules) []string { return r.Provisioners }, func(u Use) string { return u.Name + " runs a command" }, "it runs when it is planned", false},
	"remote_state": {func(r Rules) []string { return r.RemoteStates }, func(u Use) string { return u.Name + " (" + cmp.Or(u.Source, "?") + ")" }, "a state may hold secrets of others", false},
	"function":     {func(r Rules) []string { return r.Functions }, functionTitle, "read from the root module's own files instead", false},
	"link":         {nil, func(u Use) string { return "the symbolic link " + u.Name + " to " + u.Source }, "commit the file itself", false},
	"override":     {nil, func(Use) string { return "dev_overrides of Terraform's CLI configuration" }, "take it out of the server's cli_config: no lock file holds what it runs", true},
	"plugins":      {nil, func(u Use) string { return "what lies in " + u.Name + " beside the root module" }, "Terraform takes providers from there before it asks a registry", false},
	"unknown":      {nil, func(u Use) string { return "a block " + u.Name + ", of which this Mooring knows nothing," }, "nobody can tell what it runs or reads", false},
	"unread":       {nil, func(u Use) string { return u.Name + ", of which nobody can tell what it uses (" + u.Digest + ")," }, "mend the file", true},
}

func moduleTitle(u Use) string {
	s := u.Name + " from " + u.Source
	if u.Version != "" {
		s += " " + u.Version
	}
	if !pinned(u) {
		s += ", which is not pinned"
	}
	return s
}

func functionTitle(u Use) string {
	if u.Version == "" {
		return "a call of " + u.Name
	}
	return u.Name + " reads " + u.Version
}

// Compiled when they are first needed: every supervisor would pay for it.
var (
	exact = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^\s*=?\s*v?[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?\s*$`)
	})
	commit = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[?&]ref=[0-9a-f]{40}(&|$)`) })
)

// pinned tells that a module is one version and no other: that of a registry by number, that
// of a Git repository by its commit.
func pinned(u Use) bool { return exact().MatchString(u.Version) || commit().MatchString(u.Source) }

// Judge says what is wrong with what the head uses, in the order in which it stands in its
// files. base is what the branch uses already. A kind that nobody here knows is denied.
func Judge(rules Rules, head, base []Use) []policies.Finding {
	if rules.Mode == Off {
		return nil
	}
	had := map[string]bool{}
	for _, u := range base {
		had[key(u)] = true
		if u.Kind == "provider" {
			u.Digest += " " + u.Version
			had[key(u)] = true
		}
	}
	all := unlocked(rules, head, base)
	seen := map[string]bool{}
	held := sourcesOf(head, "lock_file")
	for _, u := range head {
		if u.Kind == "provider" && !held[u.Source] {
			u.Digest += " " + u.Version // no lock file holds it to anything else
		}
		k, known := kinds[u.Kind]
		if !known {
			k = kind{title: func(u Use) string { return u.Name }, never: true}
		}
		var list []string
		if k.list != nil {
			list = k.list(rules)
		}
		if seen[key(u)] {
			continue
		}
		seen[key(u)] = true
		switch {
		case u.Kind == "lock_file" && rules.Providers != nil && !versionAllowed(rules.Providers, u):
			all = append(all, finding(u, k, policies.Deny, "is not a version in the list of what may be used"))
		case list != nil && allows(list, u) && (u.Kind != "provider" || held[u.Source] || !bound(list, u)):
		case list != nil && u.Kind == "provider" && allows(list, u):
			all = append(all, finding(u, k, policies.Deny, "may be used in some versions, and no lock file holds it to one"))
		case list != nil:
			all = append(all, finding(u, k, policies.Deny, "is not in the list of what may be used"))
		case k.never:
			all = append(all, finding(u, k, policies.Deny, "is not let run"))
		case had[key(u)]:
		case rules.Mode == Denies:
			all = append(all, finding(u, k, policies.Deny, "is new: the branch does not use it"))
		default:
			all = append(all, finding(u, k, policies.Ask, "is new: the branch does not use it"))
		}
	}
	policies.Sort(all)
	return all
}

// unlocked finds the providers that the branch's lock file holds to their checksums, and
// the head's does not: init would take any package.
func unlocked(rules Rules, head, base []Use) (all []policies.Finding) {
	held := sourcesOf(head, "lock_file")
	said := map[string]bool{}
	for _, was := range base {
		if was.Kind != "lock_file" || held[was.Source] || said[was.Source] {
			continue
		}
		at := slices.IndexFunc(head, func(u Use) bool { return u.Kind == "provider" && u.Source == was.Source })
		if at < 0 {
			continue // it goes, with its lock
		}
		said[was.Source] = true
		effect := policies.Ask
		if rules.Mode == Denies {
			effect = policies.Deny
		}
		u := Use{Kind: "lock_file", Name: was.Name, File: head[at].File, Line: head[at].Line}
		k := kind{title: func(u Use) string { return "the lock on " + u.Name }, remedy: "put its entry back into .terraform.lock.hcl: init would take any package"}
		all = append(all, finding(u, k, effect, "is gone, and the provider is used"))
	}
	return all
}

func sourcesOf(all []Use, kind string) map[string]bool {
	is := map[string]bool{}
	for _, u := range all {
		if u.Kind == kind {
			is[u.Source] = true
		}
	}
	return is
}

// key is what makes two uses the same.
func key(u Use) string { return strings.Join([]string{u.Kind, u.Source, u.Digest}, "\x00") }

func finding(u Use, k kind, effect policies.Effect, what string) policies.Finding {
	f := policies.Finding{
		Effect: effect, Rule: "preflight." + u.Kind, Message: fmt.Sprintf("%s %s", k.title(u), what), File: u.File, Line: u.Line, Remedy: k.remedy, Policy: "preflight",
	}
	if effect == policies.Ask {
		f.Needs = []policies.Need{{Who: "anyone", Count: 1}}
	}
	return f
}

// An entry of the list of providers may go on with the versions that it is about, as in
// "hashicorp/aws ~> 5.0".
func constraintOf(entry string) (pattern, constraint string) {
	pattern, constraint, _ = strings.Cut(entry, " ")
	return pattern, strings.TrimSpace(constraint)
}

// bound tells that every entry which has a provider is about some of its versions only.
func bound(list []string, u Use) bool {
	return !slices.ContainsFunc(list, func(entry string) bool {
		pattern, constraint := constraintOf(entry)
		return constraint == "" && matches(pattern, u)
	})
}

// versionAllowed tells whether a locked version is one that an entry of the list is about.
func versionAllowed(list []string, u Use) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		pattern, constraint := constraintOf(entry)
		if !matches(pattern, u) {
			return false
		}
		if constraint == "" {
			return true
		}
		c, err := version.NewConstraint(constraint)
		v, bad := version.NewVersion(u.Version)
		return err == nil && bad == nil && c.Check(v)
	})
}

// allows tells whether a list has a use. A module has to be pinned besides. A * stands for
// one part between slashes, a ** at the end for all that follows.
func allows(list []string, u Use) bool {
	if u.Kind == "module" && !pinned(u) {
		return false
	}
	return slices.ContainsFunc(list, func(entry string) bool {
		pattern, _ := constraintOf(entry)
		return matches(pattern, u)
	})
}

func matches(pattern string, u Use) bool {
	for _, name := range []string{u.Source, u.Name, strings.TrimPrefix(u.Source, "registry.terraform.io/")} {
		if prefix, all := strings.CutSuffix(pattern, "**"); all && strings.HasPrefix(name, prefix) && !strings.Contains(name, "..") {
			return true
		}
		if ok, err := path.Match(pattern, name); err == nil && ok {
			return true
		}
	}
	return false
}
