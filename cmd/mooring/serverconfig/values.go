package serverconfig

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// decoder turns attributes into Go values and collects what is wrong with them.
// Each method takes an attribute that may be nil, which means it was left out.
type decoder struct {
	file  string // the file that is read, absolute
	dir   string // relative paths start here
	env   Lookup
	diags hcl.Diagnostics

	secretFiles  []string // what file() read a secret from, absolute
	repositories []item   // names that clusters use
	channels     []item   // names that routes use
}

func (d *decoder) fail(at hcl.Range, summary, detail string) {
	d.diags = append(d.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at})
}

func (d *decoder) warn(at hcl.Range, summary, detail string) {
	d.diags = append(d.diags, &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: summary, Detail: detail, Subject: &at})
}

// value evaluates a plain attribute; false when it is left out, null or wrong.
func (d *decoder) value(a *hcl.Attribute, want cty.Type) (cty.Value, bool) {
	if a == nil {
		return cty.NilVal, false
	}
	if call, ok := a.Expr.(*hclsyntax.FunctionCallExpr); ok && (call.Name == "env" || call.Name == "file") {
		d.fail(a.Expr.Range(), "Not a secret", fmt.Sprintf("%s() is only for secrets (token, password, ssh_key, ssh_key_passphrase, webhook_secret, private_key, secret, shoutrrr, the url of a web hook, heartbeat_url, the username and what plan_env and apply_env set). Write %s out.", call.Name, a.Name))
		return cty.NilVal, false
	}
	v, diags := a.Expr.Value(nil)
	d.diags = append(d.diags, diags...)
	if diags.HasErrors() || v.IsNull() {
		return cty.NilVal, false
	}
	given := v.Type()
	v, err := convert.Convert(v, want)
	// A number or a bool is no text: data_dir = 5 is a slip, not a directory.
	slip := given.IsPrimitiveType() && given != want
	if err != nil || slip || !v.IsWhollyKnown() {
		d.fail(a.Expr.Range(), "Wrong type", fmt.Sprintf("%s must be a %s.", a.Name, typeName(want)))
		return cty.NilVal, false
	}
	return v, true
}

func typeName(t cty.Type) string {
	switch {
	case t == cty.String:
		return "string"
	case t == cty.Bool:
		return "true or false"
	case t == cty.Number:
		return "number"
	}
	return "list of strings"
}

func (d *decoder) text(a *hcl.Attribute) string {
	v, ok := d.value(a, cty.String)
	if !ok {
		return ""
	}
	s := v.AsString()
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) && !strings.Contains(s, "-----BEGIN") {
		d.fail(a.Expr.Range(), "Control character", fmt.Sprintf("%s holds a line break or another control character.", a.Name))
		return ""
	}
	if s == "" {
		d.fail(a.Expr.Range(), "Empty value", fmt.Sprintf("%s is empty: leave it out or give it a value.", a.Name))
	}
	return s
}

func (d *decoder) flag(a *hcl.Attribute) bool {
	if a == nil {
		return false
	}
	v, ok := d.value(a, cty.Bool)
	return ok && v.True()
}

func (d *decoder) whole(a *hcl.Attribute, low, high int64) int {
	v, ok := d.value(a, cty.Number)
	if !ok {
		return 0
	}
	n, acc := v.AsBigFloat().Int64()
	if acc != 0 || n < low || n > high {
		d.fail(a.Expr.Range(), "Out of range", fmt.Sprintf("%s must be a whole number from %d to %d.", a.Name, low, high))
		return 0
	}
	return int(n)
}

func (d *decoder) duration(a *hcl.Attribute, fallback, least time.Duration) time.Duration {
	if a == nil {
		return fallback
	}
	s := d.text(a)
	if s == "" {
		return fallback
	}
	t, err := time.ParseDuration(s)
	switch {
	case err != nil:
		d.fail(a.Expr.Range(), "Not a duration", fmt.Sprintf("%s is a number with a unit: \"30s\", \"5m\", \"1h30m\".", a.Name))
	case t < least:
		d.fail(a.Expr.Range(), "Too short", fmt.Sprintf("%s must be at least %s.", a.Name, least))
	}
	return t
}

func (d *decoder) list(a *hcl.Attribute) []string {
	v, ok := d.value(a, cty.List(cty.String))
	if !ok {
		return nil
	}
	var all []string
	for _, e := range v.AsValueSlice() {
		if e.IsNull() {
			d.fail(a.Expr.Range(), "Wrong type", fmt.Sprintf("%s holds a null.", a.Name))
			continue
		}
		all = append(all, e.AsString())
	}
	return all
}

// oneOf returns a word; the first of the options is the default.
func (d *decoder) oneOf(a *hcl.Attribute, options ...string) string {
	if a == nil {
		return options[0]
	}
	s := d.text(a)
	if s == "" || !d.known(a.Expr.Range(), a.Name, s, options...) {
		return options[0]
	}
	return s
}

func (d *decoder) known(at hcl.Range, name, got string, options ...string) bool {
	for _, o := range options {
		if got == o {
			return true
		}
	}
	d.fail(at, "Unknown value", fmt.Sprintf("%s is one of %s%s.", name, quoted(options), suggestion(got, options)))
	return false
}

func (d *decoder) require(a *hcl.Attribute) []string {
	all := d.list(a)
	for _, s := range all {
		d.known(a.Expr.Range(), "each entry of require", s, "approved", "mergeable", "up_to_date", "policies")
	}
	return all
}

// path returns an absolute path. A leading ~/ is the home of Mooring's own user.
func (d *decoder) path(a *hcl.Attribute) string {
	s := d.text(a)
	if s == "" {
		return ""
	}
	return d.resolve(s)
}

func (d *decoder) resolve(s string) string {
	if rest, ok := strings.CutPrefix(s, "~/"); ok {
		if home, found := d.env("HOME"); found && home != "" {
			return filepath.Join(home, rest)
		}
	}
	if filepath.IsAbs(s) {
		return filepath.Clean(s)
	}
	return filepath.Join(d.dir, s)
}
