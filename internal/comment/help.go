package comment

import (
	"slices"
	"strings"
)

var meanings = map[Verb]string{
	VerbPlan:    "plans again",
	VerbApply:   "applies what was planned, where the repository applies before the merge",
	VerbApprove: "says yes to what is held",
	VerbDiscard: "drops the plans that wait",
	VerbUnlock:  "drops the plans of this pull request and frees its locks",
	VerbCancel:  "stops what runs",
	VerbHelp:    "shows this",
}

// Help says what may be typed: all verbs, or those that mean something here. It is
// Markdown, and Answer leaves it as it is.
func Help(verbs ...Verb) string {
	if len(verbs) == 0 {
		verbs = Verbs()
	}
	var b strings.Builder
	b.WriteString("A command is the first line of a comment. Without units it is for all of this pull request.\n\n")
	for _, v := range Verbs() {
		if !slices.Contains(verbs, v) {
			continue
		}
		line := "`mooring " + string(v) + " [UNIT…]`"
		if v == VerbHelp || v == VerbCancel {
			line = "`mooring " + string(v) + "`"
		}
		b.WriteString("- " + line + " " + meanings[v] + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// longestAnswer is how many characters of a paragraph an answer keeps, and
// mostParagraphs how many paragraphs and items.
const (
	longestAnswer  = 2000
	mostParagraphs = 30
)

// Answer is a short comment: paragraphs, lists whose lines begin with "- ", and
// code between backticks are taken from text, everything else in it is words.
func Answer(marker, text string) string {
	var blocks []string
	var open []string // lines of the paragraph that is being read
	list := false     // the last block is a list
	end := func() {
		if len(open) > 0 {
			if p := paragraph(strings.Join(open, " "), longestAnswer); p != "" {
				blocks, list = append(blocks, p), false
			}
			open = nil
		}
	}
	lines := strings.Split(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"), "\n")
	n := 0
	for _, l := range lines {
		l = strings.TrimSpace(l)
		item, isItem := strings.CutPrefix(l, "- ")
		if isItem || l == "" {
			end()
		}
		if l == "" {
			continue
		}
		if n++; n > mostParagraphs {
			end()
			blocks = append(blocks, "…")
			break
		}
		if !isItem {
			open = append(open, l)
			continue
		}
		item = sentence(item, longestAnswer)
		switch {
		case item == "":
		case list:
			blocks[len(blocks)-1] += "\n- " + item
		default:
			blocks, list = append(blocks, "- "+item), true
		}
	}
	end()
	if m := hidden(marker); m != "" {
		blocks = append(blocks, m)
	}
	return strings.Join(blocks, "\n\n")
}
