package serverconfig

import (
	"fmt"
	"strings"

	"github.com/agext/levenshtein"
)

// suggestion is ` (did you mean "x"?)` when one option is near, else "". The
// distance is the one HCL itself uses for its argument names.
func suggestion(got string, options []string) string {
	for _, o := range options {
		if levenshtein.Distance(strings.ToLower(got), o, nil) < 3 {
			return fmt.Sprintf(" (did you mean %q?)", o)
		}
	}
	return ""
}

func quoted(words []string) string {
	q := make([]string, len(words))
	for i, w := range words {
		q[i] = fmt.Sprintf("%q", w)
	}
	if len(q) == 1 {
		return q[0]
	}
	return strings.Join(q[:len(q)-1], ", ") + " or " + q[len(q)-1]
}
