package workspace

import (
	"fmt"
	"regexp"
	"strings"
)

// glob is a path pattern with * (any part of one segment) and ** (any number of
// segments); every wildcard captures what it stood for.
type glob struct {
	text string
	re   *regexp.Regexp
	deep bool // has a **
}

func isGlob(p string) bool { return strings.Contains(p, "*") }

func newGlob(p string) *glob {
	var re strings.Builder
	re.WriteString("^")
	segments := strings.Split(p, "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		switch {
		case segment == "**" && last && i == 0:
			re.WriteString("(.*)")
		case segment == "**" && last: // the slash before it is optional with it
			re.WriteString("(?:/(.+))?")
		case segment == "**":
			re.WriteString("(?:(.+)/)?")
		default:
			for j, part := range strings.Split(segment, "*") {
				if j > 0 {
					re.WriteString("([^/]*)")
				}
				re.WriteString(regexp.QuoteMeta(part))
			}
		}
		if !last && segment != "**" && !(segments[i+1] == "**" && i+1 == len(segments)-1) {
			re.WriteString("/")
		}
	}
	re.WriteString("$")
	return &glob{text: p, re: regexp.MustCompile(re.String()), deep: strings.Contains(p, "**")}
}

// match answers what each wildcard stood for. A * never stands for nothing in a
// segment of its own, since paths have no empty segments.
func (g *glob) match(p string) ([]string, bool) {
	m := g.re.FindStringSubmatch(p)
	if m == nil {
		return nil, false
	}
	return m[1:], true
}

// MatchPath tells whether a repository path is what a pattern with * and ** describes, as dir and path of
// mooring.hcl do, and what its wildcards stood for. A pattern without any is the path itself.
func MatchPath(pattern, p string) (match []string, ok bool) {
	if !isGlob(pattern) {
		return nil, pattern == p
	}
	return newGlob(pattern).match(p)
}

// CheckPattern says what is wrong with a pattern of paths, and how many wildcards one has.
func CheckPattern(pattern string) (wildcards int, err error) {
	clean, err := cleanPath(pattern)
	switch {
	case err != nil:
		return 0, err
	case clean != pattern:
		return 0, fmt.Errorf("%q is written %q", pattern, clean)
	}
	if !isGlob(pattern) {
		return 0, nil
	}
	return newGlob(pattern).re.NumSubexp(), nil
}
