package serverconfig

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

var forgePath = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_.-]*[A-Za-z0-9_-][A-Za-z0-9_.-]*)+$`)

// isForgePath tells owner/name, and where the forge has groups in groups
// group/subgroup/name.
func isForgePath(kind, s string) bool {
	n := strings.Count(s, "/")
	return forgePath.MatchString(s) && (n == 1 || n > 1 && kind == "gitlab")
}

func (d *decoder) forgeRepository(a *hcl.Attribute, kind string) string {
	s := d.text(a)
	if s == "" {
		return ""
	}
	if !isForgePath(kind, s) || strings.HasSuffix(s, ".git") {
		d.fail(a.Expr.Range(), "Not a repository", "repository is what the forge calls it: \"owner/name\", of GitLab \"group/subgroup/name\", without \".git\".")
		return ""
	}
	return s
}

// derive fills in what the URL that is cloned says of the forge.
func (d *decoder) derive(f *Forge, b *hcl.Block, at hcl.Attributes, gitURL string) {
	root, name := forgeOf(f.Kind, gitURL, f.URL)
	if at["url"] == nil {
		f.URL = root
	}
	if at["repository"] == nil {
		f.Repository = name
	}
	if gitURL == "" { // said already
		return
	}
	if at["url"] == nil && f.URL == "" {
		d.fail(b.DefRange, "Where is the forge?", "The repository's URL does not say it: write url = \"https://git.example.com\", with the path below which the forge lies if there is one.")
	} else if at["repository"] == nil && f.Repository == "" {
		d.fail(b.DefRange, "Which repository of the forge?", "The repository's URL does not say it: write repository = \"owner/name\".")
	}
}

// forgeOf reads the forge's root and the repository's path there from a Git URL.
// What the URL does not tell for sure is empty: a path of more than two parts says
// that a forge without groups in groups lies below a path, and not below which.
func forgeOf(kind, gitURL, root string) (derived, repository string) {
	scheme, host, p := splitGitURL(gitURL)
	if host == "" {
		return "", ""
	}
	p = strings.Trim(p, "/")
	if u, err := url.Parse(root); err == nil && strings.EqualFold(u.Host, host) && scheme == urlKind(gitURL) {
		p = strings.TrimPrefix(p, strings.Trim(u.Path, "/")+"/")
	}
	p = strings.TrimSuffix(p, ".git")
	if !isForgePath(kind, p) {
		return "", ""
	}
	return scheme + "://" + host, p
}

// sshAliases are hosts that some forges offer for ssh through a firewall.
var sshAliases = map[string]string{"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com"}

// splitGitURL returns where a browser would look for the repository; host is empty
// for a path. The port of ssh is no web server's.
func splitGitURL(s string) (scheme, host, path string) {
	switch urlKind(s) {
	case "http", "https", "ssh":
	default:
		return "", "", ""
	}
	u, err := url.Parse(s)
	if !strings.Contains(s, "://") {
		at := s[strings.IndexByte(s, '@')+1:]
		host, path, _ = strings.Cut(at, ":")
		u, err = &url.URL{Scheme: "ssh", Host: host, Path: path}, nil
	}
	if err != nil {
		return "", "", ""
	}
	if u.Scheme != "ssh" {
		return u.Scheme, strings.ToLower(u.Host), u.Path
	}
	host = strings.ToLower(u.Hostname())
	if forge, ok := sshAliases[host]; ok {
		host = forge
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return "https", host, u.Path
}
