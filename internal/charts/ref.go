package charts

import (
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// Ref names one packed chart.
type Ref struct {
	Source  string // "oci://HOST/REPOSITORY", or the "https://…" address of the archive itself
	Version string // of an OCI chart; of another one it is words only, and may be ""
	Digest  string // "sha256:" and 64 hexadecimal digits: of the archive, which in a registry is the chart's layer
}

// Fault is what is wrong with one part of a Ref: source, version or digest.
type Fault struct {
	Part string
	Err  error
}

func (f *Fault) Error() string { return f.Part + ": " + f.Err.Error() }

// Unwrap returns what is wrong.
func (f *Fault) Unwrap() error { return f.Err }

var (
	plainPath  = regexp.MustCompile(`^/[A-Za-z0-9._~/+@:-]+$`)
	repository = regexp.MustCompile(`^/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	version    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+-]{0,127}$`)
	digest     = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// Check tells whether the reference is one that can be fetched at all. It asks nobody. The error is a *Fault.
func (r Ref) Check() error {
	u, err := parseSource(r.Source)
	switch {
	case err != nil:
		return &Fault{"source", err}
	case u.Scheme == "oci" && r.Version == "":
		return &Fault{"version", fmt.Errorf("a chart of a registry is named by its version, such as \"1.2.3\"")}
	case r.Version != "" && !version.MatchString(r.Version):
		return &Fault{"version", fmt.Errorf("%q is no version such as \"1.2.3\"", r.Version)}
	case !digest.MatchString(r.Digest):
		return &Fault{"digest", fmt.Errorf("%q is no digest: \"sha256:\" and the 64 digits that `sha256sum` gives for the chart's .tgz", r.Digest)}
	}
	return nil
}

// parseSource takes the address of a chart apart. It is written in one way only, so that a pattern cannot be talked round.
func parseSource(source string) (*url.URL, error) {
	u, err := url.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("%q is no address", source)
	}
	if err := checkOrigin(u); err != nil {
		return nil, err
	}
	switch {
	case u.User != nil:
		return nil, fmt.Errorf("no user or password belongs into an address; credentials are the server's")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("%q has a query or a fragment", source)
	case u.RawPath != "" || !plainPath.MatchString(u.Path) || path.Clean(u.Path) != u.Path || strings.Contains(source, "%"):
		return nil, fmt.Errorf("the path of %q is not a plain one: letters, digits and . _ ~ + @ : - without // or .. among them", source)
	case u.Scheme == "oci" && !repository.MatchString(u.Path):
		return nil, fmt.Errorf("%q is no repository of a registry; the version stands by itself: oci://HOST/charts/NAME", source)
	}
	return u, nil
}

// checkOrigin refuses schemes that do not say who answers. Without encryption only this machine may be asked.
func checkOrigin(u *url.URL) error {
	switch {
	case u.Host == "" || u.Hostname() == "":
		return fmt.Errorf("%q names no host", u.Redacted())
	case u.Host != strings.ToLower(u.Host):
		return fmt.Errorf("write the host in lower case: %q", strings.ToLower(u.Host))
	case u.Scheme == "https", u.Scheme == "oci":
		return nil
	case u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	case u.Scheme == "http":
		return fmt.Errorf("http is for loopback addresses alone; use https")
	}
	return fmt.Errorf("%q is neither https:// nor oci://", u.Redacted())
}

// loopback tells literal addresses of this machine. "localhost" is a name that somebody may resolve.
func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
