package serverconfig

import (
	"fmt"
	"os"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// secret returns a one-line secret without its trailing line break.
func (d *decoder) secret(a *hcl.Attribute) string {
	s := strings.TrimRight(d.secretBytes(a), "\r\n")
	if strings.ContainsAny(s, "\r\n\x00") {
		d.fail(a.Expr.Range(), "Secret of several lines", fmt.Sprintf("%s must be a single line.", a.Name))
		return ""
	}
	return s
}

// secretBytes returns a secret as it was found. It reads the expression's shape
// and does not evaluate it: env("A") and file("a") with a plain string, nothing
// around and nothing inside. So no message of HCL can ever hold the value.
func (d *decoder) secretBytes(a *hcl.Attribute) string {
	if a == nil {
		return ""
	}
	call, ok := a.Expr.(*hclsyntax.FunctionCallExpr)
	if !ok || (call.Name != "env" && call.Name != "file") {
		d.fail(a.Expr.Range(), "Secret in the file", fmt.Sprintf("%s is a secret: write %s = env(\"NAME\") or %s = file(\"path\"), and nothing else.", a.Name, a.Name, a.Name))
		return ""
	}
	arg, ok := literalArgument(call)
	if !ok {
		d.fail(a.Expr.Range(), "Wrong argument", fmt.Sprintf("%s() takes one plain string.", call.Name))
		return ""
	}
	if call.Name == "env" {
		return d.fromEnv(a, arg)
	}
	return d.fromFile(a, arg)
}

func literalArgument(call *hclsyntax.FunctionCallExpr) (string, bool) {
	if len(call.Args) != 1 || call.ExpandFinal {
		return "", false
	}
	s, ok := literal(call.Args[0])
	return s, ok && s != ""
}

func (d *decoder) fromEnv(a *hcl.Attribute, name string) string {
	v, ok := d.env(name)
	switch {
	case !ok:
		d.fail(a.Expr.Range(), "Environment variable is not set", fmt.Sprintf("%s comes from $%s, which is not set.", a.Name, name))
	case v == "":
		d.fail(a.Expr.Range(), "Environment variable is empty", fmt.Sprintf("%s comes from $%s, which is empty.", a.Name, name))
	}
	return v
}

func (d *decoder) fromFile(a *hcl.Attribute, name string) string {
	path := d.resolve(name)
	d.secretFiles = append(d.secretFiles, path)
	b, err := readFile(path)
	if err != nil {
		d.fail(a.Expr.Range(), "Cannot read a secret", fmt.Sprintf("%s: %v.", a.Name, err))
		return ""
	}
	if strings.TrimSpace(string(b)) == "" {
		d.fail(a.Expr.Range(), "Secret file is empty", fmt.Sprintf("%s comes from %s, which is empty.", a.Name, path))
		return ""
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o004 != 0 {
		d.warn(a.Expr.Range(), "Everyone may read a secret", fmt.Sprintf("%s is readable by every user (mode %04o): chmod 600 %s.", path, info.Mode().Perm(), path))
	}
	return string(b)
}

// login is a name that may also come from the environment or a file.
func (d *decoder) login(a *hcl.Attribute) string {
	if a == nil {
		return ""
	}
	if _, call := a.Expr.(*hclsyntax.FunctionCallExpr); call {
		return d.secret(a)
	}
	return d.text(a)
}
