package notify

import (
	"slices"

	"github.com/bmatcuk/doublestar/v4"
)

// matching returns the channels that are told of a message, each once, in the
// order of the configuration.
func (c Config) matching(m Message) []string {
	wanted := map[string]bool{}
	for _, r := range c.Routes {
		if r.matches(m) {
			for _, name := range r.Channels {
				wanted[name] = true
			}
		}
	}
	var names []string
	for _, ch := range c.Channels {
		if wanted[ch.Name] || len(c.Routes) == 0 && worthTelling(m) {
			names = append(names, ch.Name)
		}
	}
	return names
}

// worthTelling is what everybody is told where no route says otherwise.
func worthTelling(m Message) bool { return m.Event != Applied && m.Severity >= Warning }

func (r Route) matches(m Message) bool {
	return matchesAny(r.Repositories, m.Repository) && matchesAny(r.Units, m.Unit) &&
		m.Severity >= r.Severity && (len(r.Events) == 0 || slices.Contains(r.Events, m.Event))
}

func matchesAny(patterns []string, name string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := doublestar.Match(p, name)
		return ok && err == nil
	})
}
