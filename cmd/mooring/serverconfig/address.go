package serverconfig

import (
	"encoding/pem"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// listen returns host:port. A host that is left out is 127.0.0.1: nothing is
// offered to the network unless the file says so.
func (d *decoder) listen(a *hcl.Attribute) string {
	s := d.text(a)
	if s == "" {
		return ""
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil || port == "" {
		d.fail(a.Expr.Range(), "Not an address", "listen is \"host:port\", for example \"127.0.0.1:4141\".")
		return ""
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		d.fail(a.Expr.Range(), "Not a port", "The port of listen is a number from 0 to 65535.")
		return ""
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

func (d *decoder) httpURL(a *hcl.Attribute) string {
	s := d.text(a)
	if s == "" {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		d.fail(a.Expr.Range(), "Not a URL", fmt.Sprintf("%s is an http or https address.", a.Name))
		return ""
	}
	if u.User != nil {
		d.fail(a.Expr.Range(), "Credentials in a URL", fmt.Sprintf("%s must not hold a user or a password.", a.Name))
		return ""
	}
	return strings.TrimRight(s, "/")
}

// scpLike is user@host:path, ssh in the form Git prints.
var scpLike = regexp.MustCompile(`^(?:[^/@:\s]+@)?[^/@:\s]+:[^/]`)

// gitURL returns the address of a repository; a local path becomes absolute.
func (d *decoder) gitURL(a *hcl.Attribute) string {
	s := d.text(a)
	if s == "" {
		return ""
	}
	if scheme, _, ok := strings.Cut(s, "://"); ok {
		return d.gitScheme(a, scheme, s)
	}
	if strings.HasPrefix(s, "-") || strings.Contains(s, "::") { // Git would take the second for a helper program
		d.fail(a.Expr.Range(), "Not a Git URL", "A repository's URL does not start with \"-\" and holds no \"::\".")
		return ""
	}
	if scpLike.MatchString(s) {
		return s
	}
	return d.resolve(s)
}

func (d *decoder) gitScheme(a *hcl.Attribute, scheme, s string) string {
	if !d.known(a.Expr.Range(), "the scheme of a repository's URL", scheme, "https", "http", "ssh", "file") {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || (u.Host == "" && scheme != "file") {
		d.fail(a.Expr.Range(), "Not a Git URL", "url is https://host/path, ssh://user@host/path, user@host:path or a path.")
		return ""
	}
	if _, has := u.User.Password(); has {
		d.fail(a.Expr.Range(), "Password in a URL", "A URL stands in logs and reports. Leave the password out and write token = env(\"NAME\").")
		return ""
	}
	if u.User != nil && (scheme == "http" || scheme == "https") {
		d.fail(a.Expr.Range(), "User in a URL", "Leave it out and write username = \"…\" and token = env(\"NAME\"): forges accept a token in that place, and a URL stands in logs and reports.")
		return ""
	}
	return s
}

func urlKind(s string) string {
	if scheme, _, ok := strings.Cut(s, "://"); ok {
		return scheme
	}
	if scpLike.MatchString(s) {
		return "ssh"
	}
	return "path"
}

func loopback(s string) bool {
	u, err := url.Parse(s)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || (ip != nil && ip.IsLoopback())
}

var badRef = regexp.MustCompile(`[\x00-\x20~^:?*\[\\]|\.\.|@\{|^[-/]|[/.]$|\.lock$|//`)

func (d *decoder) branch(a *hcl.Attribute) string {
	s := d.text(a)
	if s != "" && badRef.MatchString(s) {
		d.fail(a.Expr.Range(), "Not a branch", "Git does not allow a branch of this name.")
		return ""
	}
	return strings.TrimPrefix(s, "refs/heads/")
}

// existing is a path to a file that may come later: its absence is a warning.
func (d *decoder) existing(a *hcl.Attribute) string {
	p := d.path(a)
	if p == "" {
		return ""
	}
	if _, err := os.Stat(p); err != nil {
		d.warn(a.Expr.Range(), "File not found", fmt.Sprintf("%s: %v.", a.Name, err))
	}
	return p
}

// pem reads certificates or a key: file("path"), a path, or the text itself.
func (d *decoder) pem(a *hcl.Attribute) []byte {
	if a == nil {
		return nil
	}
	var text string
	if call, ok := a.Expr.(*hclsyntax.FunctionCallExpr); ok && call.Name == "file" {
		arg, ok := literalArgument(call)
		if !ok {
			d.fail(a.Expr.Range(), "Wrong argument", "file() takes one plain string.")
			return nil
		}
		text = d.publicFile(a, arg)
	} else if text = d.text(a); text != "" && !strings.Contains(text, "-----BEGIN") {
		text = d.publicFile(a, text)
	}
	if text == "" {
		return nil
	}
	if block, _ := pem.Decode([]byte(text)); block == nil && !strings.Contains(text, "-----BEGIN PGP") {
		d.fail(a.Expr.Range(), "Not a PEM block", fmt.Sprintf("%s holds no -----BEGIN … block.", a.Name))
		return nil
	}
	return []byte(text)
}

func (d *decoder) publicFile(a *hcl.Attribute, name string) string {
	b, err := readFile(d.resolve(name))
	if err != nil {
		d.fail(a.Expr.Range(), "Cannot read a file", fmt.Sprintf("%s: %v.", a.Name, err))
		return ""
	}
	return string(b)
}
