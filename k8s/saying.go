package k8s

import (
	"encoding/base64"
	"slices"
	"strings"
	"unicode"
)

const (
	// maxWords bounds what is repeated of other people's messages, in characters.
	maxWords = 400
	// maskFrom is the shortest Secret value that is looked for in them: shorter ones are in every sentence.
	maskFrom = 6
)

// oneLine makes a message fit for a line of a report: no line breaks, no control characters, cut to maxWords.
func oneLine(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if len(s) <= maxWords {
		return s
	}
	runes := []rune(s)
	if len(runes) <= maxWords {
		return s
	}
	return string(runes[:maxWords-1]) + "…"
}

// joinWords is "reason: message" of what there is.
func joinWords(reason, message string) string { return strings.Trim(reason+": "+message, ": ") }

// masker hides the values of the set's own Secrets, plain and encoded, in what containers and controllers say.
// What a Secret of the cluster holds that is not in the set cannot be known here.
func masker(objects []Object) *strings.Replacer {
	var values []string
	for _, o := range objects {
		if !o.isSecret() {
			continue
		}
		data, _ := o.Object["data"].(map[string]any)
		for _, v := range data {
			encoded, _ := v.(string)
			plain, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				continue
			}
			// Messages are one line each: a value of several lines may show up in pieces.
			for _, line := range append(strings.Split(string(plain), "\n"), encoded) {
				if line = strings.TrimSpace(line); len(line) >= maskFrom {
					values = append(values, line)
				}
			}
		}
	}
	// The longest first, or the end of one that begins with another would show.
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(values))
	for _, v := range slices.Compact(values) {
		pairs = append(pairs, v, "***")
	}
	return strings.NewReplacer(pairs...)
}
