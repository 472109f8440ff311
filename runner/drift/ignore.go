package drift

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
)

// Ignore is a rule that leaves out what people know of and accept. All that it names must hold; what it does not name
// holds for everything. A rule that names no addresses, fields or classes, one without a reason and one without an end
// leave out nothing.
//
// Units are globs as for paths: infra/*, apps/**. In addresses and fields * is any text, dots and slashes too, ? is one
// character, {a,b} is one of both, and all else is literal, brackets and quotes among it: aws_instance.web[*],
// metadata.annotations["kubernetes.io/*"].
type Ignore struct {
	Units     []string
	Addresses []string
	// Fields are the only attributes that are left out, with what is below them. None is the whole finding.
	Fields  []string
	Classes []Class
	Reason  string
	Until   time.Time
	// File and Line say where the rule stands.
	File string
	Line int
}

// Ignored is what one rule left out of one finding.
type Ignored struct {
	Finding Finding // with no fields but those that the rule left out
	Rule    Ignore
	Whole   bool // nothing is left of the finding
}

// Leave takes out of a unit's findings what rules ignore. A finding of which all fields are left out is ignored; one that
// lost some is sealed again, and should be graded again. Rules about fields say nothing of what is deleted, nor of a
// finding without fields. Neither the findings nor their fields are changed in place.
func Leave(unit string, found []Finding, rules []Ignore, now time.Time) (kept []Finding, ignored []Ignored) {
	var hold []Ignore
	for _, r := range rules {
		if r.Check() == nil && now.Before(r.Until) && (len(r.Units) == 0 || matches(r.Units, unit)) {
			hold = append(hold, r)
		}
	}
	for _, f := range found {
		left, lost := leave(f, hold)
		ignored = append(ignored, lost...)
		if len(lost) > 0 && lost[len(lost)-1].Whole {
			continue
		}
		kept = append(kept, left)
	}
	return kept, ignored
}

func leave(f Finding, rules []Ignore) (Finding, []Ignored) {
	var lost []Ignored
	for _, r := range rules {
		if len(r.Classes) > 0 && !slices.Contains(r.Classes, f.Class) || len(r.Addresses) > 0 && !named(r.Addresses, f.Address) {
			continue
		}
		if len(r.Fields) == 0 {
			return f, append(lost, Ignored{f, r, true})
		}
		if f.Change == Deleted || len(f.Fields) == 0 {
			continue
		}
		var stay, gone []Field
		for _, x := range f.Fields {
			if slices.ContainsFunc(parents(x.Path), func(p string) bool { return named(r.Fields, p) }) {
				gone = append(gone, x)
			} else {
				stay = append(stay, x)
			}
		}
		if len(gone) == 0 {
			continue
		}
		part := f
		part.Fields = gone
		lost = append(lost, Ignored{part, r, len(stay) == 0})
		if len(stay) == 0 {
			return f, lost
		}
		f.Fields = stay
		f.seal()
	}
	return f, lost
}

// Check says why a rule leaves out nothing, whenever it is read: what is missing, or which glob is none.
func (r Ignore) Check() error {
	switch {
	case len(r.Addresses)+len(r.Fields)+len(r.Classes) == 0:
		return errors.New("an ignore rule needs addresses, fields or classes: without them it would ignore all drift")
	case strings.TrimSpace(r.Reason) == "":
		return errors.New("an ignore rule needs a reason")
	case r.Until.IsZero():
		return errors.New("an ignore rule needs an end")
	}
	for _, g := range r.Units {
		if !doublestar.ValidatePattern(g) {
			return fmt.Errorf("units: %q is no glob", g)
		}
	}
	for _, g := range slices.Concat(r.Addresses, r.Fields) {
		if g == "" || !doublestar.ValidatePattern(literal.Replace(g)) {
			return fmt.Errorf("%q is no glob", g)
		}
	}
	return nil
}

// literal makes of a glob for addresses one in which brackets, quotes and backslashes are themselves, and of a name one
// in which no slash ends a star.
var (
	literal = strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`, "/", "\x1f")
	flat    = strings.NewReplacer("/", "\x1f")
)

// named reports whether a name is one of those that globs for addresses name.
func named(globs []string, name string) bool {
	name = flat.Replace(name)
	return slices.ContainsFunc(globs, func(g string) bool {
		ok, err := doublestar.Match(literal.Replace(g), name)
		return err == nil && ok
	})
}

// parents are a path and all that it is below of.
func parents(path string) []string {
	var out []string
	quoted := false
	for i := 0; i < len(path); i++ {
		switch {
		case quoted && path[i] == '\\':
			i++
		case path[i] == '"':
			quoted = !quoted
		case !quoted && i > 0 && (path[i] == '.' || path[i] == '['):
			out = append(out, path[:i])
		}
	}
	return append(out, path)
}
