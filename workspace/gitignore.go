package workspace

import (
	"path"
	"strings"
)

// ignoreRules are one .gitignore file, after the rules of gitignore(5).
type ignoreRules struct {
	dir   string // where the file stands, "." for the top
	rules []ignoreRule
}

type ignoreRule struct {
	segments []string // of the pattern
	negated  bool
	dirOnly  bool
	anchored bool // matches from dir only, not at any depth
}

func parseIgnore(dir string, src []byte) *ignoreRules {
	out := &ignoreRules{dir: dir}
	for line := range strings.Lines(string(src)) {
		if rule, ok := parseIgnoreLine(strings.TrimRight(line, "\r\n")); ok {
			out.rules = append(out.rules, rule)
		}
	}
	return out
}

func parseIgnoreLine(line string) (ignoreRule, bool) {
	// Trailing spaces count only where they are escaped.
	for strings.HasSuffix(line, " ") && !strings.HasSuffix(line, `\ `) {
		line = line[:len(line)-1]
	}
	var r ignoreRule
	if line == "" || strings.HasPrefix(line, "#") {
		return r, false
	}
	if rest, ok := strings.CutPrefix(line, "!"); ok {
		r.negated, line = true, rest
	}
	if rest, ok := strings.CutSuffix(line, "/"); ok {
		r.dirOnly, line = true, rest
	}
	r.anchored = strings.Contains(line, "/")
	line = strings.TrimPrefix(line, "/")
	if line == "" {
		return r, false
	}
	r.segments = strings.Split(line, "/")
	for _, s := range r.segments {
		if _, err := path.Match(s, ""); err != nil {
			return r, false // Git takes a broken pattern to match nothing
		}
	}
	return r, true
}

// match answers what the file says of a path: ignored, kept, or nothing (told is
// false). The last rule that matches decides.
func (ig *ignoreRules) match(p string, isDir bool) (ignored, told bool) {
	rel := p
	if ig.dir != "." {
		rel = strings.TrimPrefix(p, ig.dir+"/")
	}
	segments := strings.Split(rel, "/")
	for i := len(ig.rules) - 1; i >= 0; i-- {
		r := &ig.rules[i]
		if r.dirOnly && !isDir {
			continue
		}
		candidate := segments
		if !r.anchored {
			candidate = segments[len(segments)-1:]
		}
		if matchSegments(r.segments, candidate) {
			return !r.negated, true
		}
	}
	return false, false
}

// matchSegments lets ** stand for any number of segments; a ** at the end stands for
// at least one.
func matchSegments(pattern, segments []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			if len(pattern) == 1 {
				return len(segments) > 0
			}
			for i := 0; i <= len(segments); i++ {
				if matchSegments(pattern[1:], segments[i:]) {
					return true
				}
			}
			return false
		}
		if len(segments) == 0 {
			return false
		}
		if ok, err := path.Match(strings.ReplaceAll(pattern[0], "[!", "[^"), segments[0]); err != nil || !ok {
			return false
		}
		pattern, segments = pattern[1:], segments[1:]
	}
	return len(segments) == 0
}

// ignoreStack is the .gitignore files from the top down to a directory.
type ignoreStack []*ignoreRules

// ignored asks the nearest file first. A path below an ignored directory is not
// asked for: the walk does not go there, and Git does not look there either.
func (s ignoreStack) ignored(p string, isDir bool) bool {
	for i := len(s) - 1; i >= 0; i-- {
		if ignored, told := s[i].match(p, isDir); told {
			return ignored
		}
	}
	return false
}
