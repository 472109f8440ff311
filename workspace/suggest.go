package workspace

import (
	"fmt"

	"github.com/agext/levenshtein"
)

// didYouMean answers " Did you mean …?" for the candidate nearest to what was
// written, or nothing: at most three edits away, and no more than half of it.
func didYouMean(given string, candidates []string) string {
	best, distance := "", 4
	for _, c := range candidates {
		if d := levenshtein.Distance(given, c, nil); d < distance && 2*d <= max(len(c), len(given)) {
			best, distance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" Did you mean %q?", best)
}
