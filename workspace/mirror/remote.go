package mirror

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// Remote says where a repository lives and how to be let in.
type Remote struct {
	// URL is https://, http://, ssh://, git@host:path, file:// or a local path
	// (a bare repository, a working copy, a linked work tree). User and
	// password in it are taken out and used when Username or Token is empty.
	URL string
	// Branch is the branch that is watched; "" is the remote's HEAD.
	Branch string
	// Username goes with Token over http(s). Empty means "git", which GitHub,
	// GitLab and Gitea take with any personal or project token.
	Username string
	Token    string
	// SSHKey is a private key in PEM or OpenSSH form.
	SSHKey           []byte
	SSHKeyPassphrase string
	// KnownHosts is the file of trusted ssh host keys; "" is ~/.ssh/known_hosts.
	KnownHosts string
	// CABundle holds PEM certificates trusted for https beside the system's.
	CABundle []byte
}

// String is the URL without credentials, so that a Remote can be printed.
func (r Remote) String() string {
	loc, err := parseRemote(r)
	if err != nil {
		return "(remote with an unusable URL)"
	}
	return loc.url
}

// GoString keeps the token and the key out of %#v too.
func (r Remote) GoString() string { return "mirror.Remote{" + r.String() + "}" }

type scheme string

const (
	schemeHTTP  scheme = "http"
	schemeHTTPS scheme = "https"
	schemeSSH   scheme = "ssh"
	schemeFile  scheme = "file"
)

// location is a Remote taken apart and checked.
type location struct {
	scheme   scheme
	url      string // without credentials: for people, errors, the mirror's name
	host     string // without port; IPv6 without brackets
	port     string // "" is the scheme's own
	path     string // http(s): escaped; ssh: as the server's shell gets it; file: absolute
	user     string
	password string
}

// parseRemote follows git's own reading of remotes, and refuses protocols that
// run commands (ext::) or know no authentication (git://).
func parseRemote(r Remote) (location, error) {
	loc, err := splitURL(r.URL)
	if err != nil {
		return location{}, err
	}
	web := loc.scheme == schemeHTTP || loc.scheme == schemeHTTPS
	if web && loc.user != "" && loc.password == "" && r.Token == "" && r.Username == "" {
		// https://TOKEN@host/… is a common way to write a token.
		loc.user, loc.password = "", loc.user
	}
	if r.Username != "" {
		loc.user = r.Username
		if loc.scheme == schemeSSH {
			return location{}, errors.New("username: over ssh the user is part of the URL (ssh://user@host/path)")
		}
	}
	if r.Token != "" {
		loc.password = r.Token
	}
	if loc.user == "" && (loc.password != "" || loc.scheme == schemeSSH) {
		loc.user = "git"
	}
	if r.Branch != "" {
		if err := plumbing.NewBranchReferenceName(r.Branch).Validate(); err != nil {
			return location{}, fmt.Errorf("branch %q is not a valid name", r.Branch)
		}
	}
	return loc, nil
}

func splitURL(raw string) (location, error) {
	if raw == "" {
		return location{}, errors.New("url is empty")
	}
	if strings.ContainsAny(raw, "\x00\n\r") {
		return location{}, errors.New("url holds a control character")
	}
	if strings.Contains(raw, "://") {
		return splitRealURL(raw)
	}
	if helper, _, ok := strings.Cut(raw, "::"); ok && !strings.ContainsAny(helper, "/[") {
		return location{}, fmt.Errorf("%w: remote helper %q", ErrUnsupported, helper+"::")
	}
	if host, p, ok := cutSCP(raw); ok {
		return splitSCP(host, p)
	}
	abs, err := filepath.Abs(raw)
	if err != nil {
		return location{}, fmt.Errorf("local path: %w", err)
	}
	return location{scheme: schemeFile, url: abs, path: abs}, nil
}

// cutSCP splits user@host:path. Git's rule: there is a colon before the first
// slash; brackets guard the colons of an IPv6 address.
func cutSCP(raw string) (host, path string, ok bool) {
	from := 0
	if open := strings.IndexByte(raw, '['); open >= 0 && (open == 0 || raw[open-1] == '@') {
		if end := strings.IndexByte(raw, ']'); end > open {
			from = end
		}
	}
	colon := strings.IndexByte(raw[from:], ':')
	if colon < 0 {
		return "", "", false
	}
	colon += from
	if slash := strings.IndexByte(raw[from:], '/'); slash >= 0 && slash+from < colon {
		return "", "", false
	}
	return raw[:colon], raw[colon+1:], true
}

func splitSCP(hostPart, p string) (location, error) {
	loc := location{scheme: schemeSSH, path: p}
	host := hostPart
	if at := strings.LastIndexByte(hostPart, '@'); at >= 0 {
		loc.user, host = hostPart[:at], hostPart[at+1:]
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	loc.host = host
	// [host:2222]:path carries a port; [::1]:path does not.
	if h, port, ok := strings.Cut(host, ":"); ok && !strings.Contains(port, ":") {
		loc.host, loc.port = h, port
	}
	loc.url = hostPart + ":" + p
	return loc, checkHost(loc)
}

func splitRealURL(raw string) (location, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// url.Error repeats the whole URL, credentials and all.
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return location{}, fmt.Errorf("url cannot be read: %w", scrub(err, raw))
	}
	loc := location{scheme: scheme(u.Scheme), host: u.Hostname(), port: u.Port()}
	if u.User != nil {
		loc.user = u.User.Username()
		loc.password, _ = u.User.Password()
	}
	switch loc.scheme {
	case "git+ssh", "ssh+git", schemeSSH:
		loc.scheme = schemeSSH
		loc.path = strings.TrimPrefix(u.Path, "/~")
		if loc.path != u.Path {
			loc.path = "~" + loc.path // ssh://host/~user/repo, as git reads it
		}
	case schemeHTTP, schemeHTTPS:
		if u.RawQuery != "" || u.Fragment != "" {
			return location{}, errors.New("url must not hold a query or a fragment")
		}
		loc.path = strings.TrimRight(u.EscapedPath(), "/")
	case schemeFile:
		if u.Host != "" && u.Host != "localhost" {
			return location{}, fmt.Errorf("%w: file:// on host %q", ErrUnsupported, u.Host)
		}
		p := filepath.Clean(u.Path)
		return location{scheme: schemeFile, url: "file://" + p, path: p}, nil
	default:
		return location{}, fmt.Errorf("%w: protocol %q (use https, http, ssh, file or a path)", ErrUnsupported, u.Scheme)
	}
	clean := url.URL{Scheme: string(loc.scheme), Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	if loc.scheme == schemeSSH && loc.user != "" {
		clean.User = url.User(loc.user) // a login name is no secret
	}
	loc.url = clean.String()
	return loc, checkHost(loc)
}

func checkHost(loc location) error {
	if loc.host == "" || strings.HasPrefix(loc.host, "-") {
		return fmt.Errorf("url names no usable host (%q)", loc.host)
	}
	if loc.path == "" || strings.HasPrefix(loc.path, "-") {
		return fmt.Errorf("url names no usable path (%q)", loc.path)
	}
	return nil
}

// dirName is the directory of this remote's mirror: readable, and different
// for every URL. Credentials and branch have no part in it, so that changing
// them keeps the mirror.
func (loc location) dirName() string {
	base := strings.TrimSuffix(path.Base(filepath.ToSlash(loc.path)), ".git")
	base = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, base)
	sum := sha256.Sum256([]byte(loc.url))
	return base[:min(len(base), 40)] + "-" + hex.EncodeToString(sum[:6])
}

// scrub replaces secrets in the text of err. What holds one loses its chain:
// a cause may carry the secret in a field too.
func scrub(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	clean := text
	for _, s := range secrets {
		if s != "" {
			clean = strings.ReplaceAll(clean, s, "***")
			clean = strings.ReplaceAll(clean, url.QueryEscape(s), "***")
			clean = strings.ReplaceAll(clean, url.PathEscape(s), "***")
		}
	}
	if clean == text {
		return err
	}
	return errors.New(clean)
}
