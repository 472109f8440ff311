package runner

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/workspace"
)

// Rule is what the operator allows sets to do in a cluster. In all of As, Namespaces,
// Kinds and ClusterKinds, "${0}" stands for what the first wildcard of Path stood for.
// The zero value covers no set and allows nothing.
type Rule struct {
	Path         string   // of sets; * and ** as in mooring.hcl
	Repositories []string // none means all that may use the cluster
	As           []string // patterns of users, one of whom sets must act as; none: the cluster's own credentials
	Namespaces   []string // as in k8s.Allowance
	Kinds        []string
	ClusterKinds []string
}

// grant is what one set may do.
type grant struct {
	as               string
	allow            []k8s.Allowance
	requireNamespace bool
}

func (c ClusterConfig) offeredTo(repository string) bool { return includes(c.Repositories, repository) }

// includes tells whether a list of repositories, empty for all, has one; "" is one
// whose name is not known.
func includes(list []string, repository string) bool {
	return len(list) == 0 || repository == "" || slices.Contains(list, repository)
}

// grant says what a set may do in the cluster: what its first rule says. Without
// rules it may do everything, as nobody but the cluster's own user.
func (c ClusterConfig) grant(repository string, u *workspace.Unit) (grant, error) {
	g := grant{requireNamespace: c.RequireNamespace}
	if len(c.Allow) == 0 {
		if u.As != "" {
			return g, refusal(u, "as = %q is not allowed: the server's configuration has no allow block with as for cluster %s", u.As, c.Name)
		}
		return g, nil
	}
	for _, r := range c.Allow {
		match, covers := workspace.MatchPath(r.Path, u.Path)
		if !covers || !includes(r.Repositories, repository) {
			continue
		}
		by := fmt.Sprintf("allow %q of cluster %s in the server's configuration", r.Path, c.Name)
		if r, err := r.expand(match); err != nil {
			return g, refusal(u, "%s cannot cover %s: %v", by, u.Path, err)
		} else if g.as, err = r.user(u, by); err != nil {
			return g, err
		} else {
			g.allow = []k8s.Allowance{{By: by, Namespaces: r.Namespaces, Kinds: r.Kinds, ClusterKinds: r.ClusterKinds}}
			return g, nil
		}
	}
	var paths []string
	for _, r := range c.Allow {
		if includes(r.Repositories, repository) {
			paths = append(paths, fmt.Sprintf("%q", r.Path))
		}
	}
	return g, refusal(u, "no allow block of cluster %s in the server's configuration covers %s; there are %s", c.Name, u.Path, orNone(strings.Join(paths, ", ")))
}

// refusal places an error at the block that declares the set.
func refusal(u *workspace.Unit, format string, args ...any) error {
	message := fmt.Sprintf(format, args...)
	if u.File == "" {
		return errors.New(message)
	}
	return &k8s.SourceError{File: u.File, Line: u.Line, Message: message}
}

// CheckCluster says what is wrong with a set's choice of cluster and of whom it acts
// as there, as far as the configurations tell. repository is "" where its name is
// not known.
func CheckCluster(offered []ClusterConfig, repository string, u *workspace.Unit) error {
	c, err := newClusters(Options{Clusters: offered})
	if err != nil || u.Kubeconfig {
		return err
	}
	cfg, err := c.find(repository, u.Cluster)
	if err != nil {
		return err
	}
	_, err = cfg.grant(repository, u)
	return err
}

// user is whom the set acts as: whom it names, if the rule allows that, else the only
// one whom the rule allows.
func (r Rule) user(u *workspace.Unit, by string) (string, error) {
	switch {
	case len(r.As) == 0 && u.As == "":
		return "", nil
	case len(r.As) == 0:
		return "", refusal(u, "as = %q is not allowed: %s has no as", u.As, by)
	case u.As == "" && len(r.As) == 1 && !strings.Contains(r.As[0], "*"):
		return r.As[0], nil
	case u.As == "":
		return "", refusal(u, "the set must say whom it acts as: %s wants as to be %s", by, strings.Join(r.As, " or "))
	case !slices.ContainsFunc(r.As, func(pattern string) bool { return matchesUser(pattern, u.As) }):
		return "", refusal(u, "as = %q is not allowed: %s allows %s", u.As, by, strings.Join(r.As, ", "))
	}
	return u.As, nil
}

// matchesUser compares part by part between colons, so that the * of
// system:serviceaccount:team-*:deployer stands for no more than was meant. A * alone
// is anybody.
func matchesUser(pattern, user string) bool {
	if pattern == "*" {
		return true
	}
	want, have := strings.Split(pattern, ":"), strings.Split(user, ":")
	if len(want) != len(have) {
		return false
	}
	for i := range want {
		if !k8s.Matches(want[i], have[i]) {
			return false
		}
	}
	return true
}

// fits is what a wildcard may stand for where it becomes part of a name: a directory
// called * must not become a pattern, and one with a colon no other user.
var fits = regexp.MustCompile(`^[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?$`)

// expand fills in what the wildcards of the path stood for.
func (r Rule) expand(match []string) (Rule, error) {
	var failed error
	fill := func(patterns []string) []string {
		out := slices.Clone(patterns)
		for i, p := range out {
			for n, m := range match {
				place := fmt.Sprintf("${%d}", n)
				if strings.Contains(p, place) && !fits.MatchString(m) {
					failed = fmt.Errorf("the part %q of the path is no part of a name in a cluster", m)
				}
				p = strings.ReplaceAll(p, place, m)
			}
			out[i] = p
		}
		return out
	}
	r.As, r.Namespaces, r.Kinds, r.ClusterKinds = fill(r.As), fill(r.Namespaces), fill(r.Kinds), fill(r.ClusterKinds)
	return r, failed
}

// ownLimits is what a set holds itself to.
func ownLimits(u *workspace.Unit) []k8s.Allowance {
	if u.Limits == nil {
		return nil
	}
	a := k8s.Allowance{By: fmt.Sprintf("manifests %s at %s:%d", u.ID, u.File, u.Line), Namespaces: u.Limits.Namespaces, Kinds: u.Limits.Kinds, ClusterKinds: u.Limits.ClusterKinds}
	for _, said := range []*[]string{&a.Namespaces, &a.Kinds} {
		if *said == nil {
			*said = []string{"*"}
		}
	}
	return []k8s.Allowance{a}
}
