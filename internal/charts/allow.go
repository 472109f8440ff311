package charts

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Allowlist are the patterns of sources that charts may come from: "oci://HOST/charts/*", "https://HOST/**". * stands for
// any characters but a slash, ** for any number of directories; scheme and host are written out. The zero value allows nothing.
type Allowlist []string

// ErrNotAllowed is returned for a chart from elsewhere.
var ErrNotAllowed = fmt.Errorf("not on the server's allowlist of charts")

var patternPath = regexp.MustCompile(`^/[A-Za-z0-9._~/+@:*-]+$`)

// CheckPattern tells whether a text is a pattern of an Allowlist.
func CheckPattern(pattern string) error {
	u, err := url.Parse(pattern)
	if err != nil {
		return fmt.Errorf("%q is no address", pattern)
	}
	if err := checkOrigin(u); err != nil {
		return err
	}
	switch {
	case strings.Contains(u.Host, "*"):
		return fmt.Errorf("the host of %q is written out: * is for the path", pattern)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(pattern, "%"):
		return fmt.Errorf("%q is a scheme, a host and a path, and nothing else", pattern)
	case !patternPath.MatchString(u.Path) || path.Clean(u.Path) != u.Path:
		return fmt.Errorf("the path of %q is not a plain one with * and **: say %s://%s/** for everything there", pattern, u.Scheme, u.Host)
	}
	return nil
}

// Check tells whether the chart may be fetched: it is named well, and on the list. The error is a *Fault, and for what is
// not on the list it wraps ErrNotAllowed.
func (a Allowlist) Check(r Ref) error {
	if err := r.Check(); err != nil {
		return err
	}
	u, err := url.Parse(r.Source)
	if err != nil {
		return &Fault{"source", err}
	}
	for _, pattern := range a {
		p, err := url.Parse(pattern)
		if err == nil && p.Scheme == u.Scheme && p.Host == u.Host && doublestar.MatchUnvalidated(p.Path, u.Path) {
			return nil
		}
	}
	return &Fault{"source", fmt.Errorf("%s is %w, which has %s: allow it in the charts block of the server's configuration", r.Source, ErrNotAllowed, a)}
}

func (a Allowlist) String() string {
	if len(a) == 0 {
		return "nothing"
	}
	return strings.Join(a, ", ")
}

// reaches tells whether a request may go to the address: a redirect, or where a registry sends for a token.
func (a Allowlist) reaches(u *url.URL) bool {
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return false
	}
	return slices.ContainsFunc(a, func(pattern string) bool {
		p, err := url.Parse(pattern)
		return err == nil && web(p).Scheme == u.Scheme && strings.EqualFold(p.Host, u.Host)
	})
}

// web is the http or https address that stands for one of a registry.
func web(u *url.URL) *url.URL {
	w := *u
	if w.Scheme == "oci" {
		w.Scheme = "https"
		if loopback(u.Hostname()) {
			w.Scheme = "http"
		}
	}
	return &w
}
