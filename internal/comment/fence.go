package comment

import (
	"fmt"
	"strings"
)

// longestFence bounds the fences: a longer run of backticks is broken up by spaces.
const longestFence = 16

// fenced is text of others in a block of code. No line of it begins where a fence,
// a command of Atlantis or a quick action of GitLab would: some tools look for
// their words line by line and know of no code.
type fenced struct {
	info  string // diff, or ""
	body  string // its lines, each with its end: at most as many as could be needed
	fence string
	lines int // of the whole text
	kept  int // of them in body; the last may be a part
	part  bool
	url   string // page with all of it
	size  int    // what all of it takes
	least int    // what it takes when nothing of it is shown
}

// rawText is text as another program wrote it.
func rawText(s string, most int, url string) *fenced {
	return newFenced("", s, most, url, func(string) string { return " " })
}

// diffText is text whose lines begin with what is done to them.
func diffText(s string, most int, url string) *fenced {
	return newFenced("diff", s, most, url, func(line string) string {
		if strings.IndexByte("+-! ", line[0]) >= 0 || strings.HasPrefix(line, "@@ ") {
			return ""
		}
		return " "
	})
}

// newFenced answers nil for no text. It looks at no more of s than most bytes, but
// for the number of its lines.
func newFenced(info, s string, most int, url string, before func(line string) string) *fenced {
	s = strings.TrimRight(s, " \t\r\n")
	if s == "" {
		return nil
	}
	f := &fenced{info: info, lines: strings.Count(s, "\n") + 1, url: url}
	if len(s) > most {
		s, f.part = s[:runeCut(s, most)], true
	}
	s = clean(s)
	if strings.Contains(s, strings.Repeat("`", longestFence+1)) {
		s = strings.ReplaceAll(s, strings.Repeat("`", longestFence), strings.Repeat("`", longestFence)+" ")
	}
	var b strings.Builder
	b.Grow(len(s) + len(s)/16)
	for line := range strings.SplitSeq(s, "\n") {
		if line = strings.TrimRight(line, " \t"); line != "" {
			b.WriteString(before(line))
			b.WriteString(line)
		}
		b.WriteByte('\n')
		f.kept++
	}
	f.body = b.String()
	f.fence = strings.Repeat("`", max(3, longestRun(s)+1))
	f.size = f.frame() + len(f.body)
	note := len(f.note(f.lines))
	if f.part {
		f.size += note
	}
	f.least = min(f.size, note)
	return f
}

// frame is what the two fences take.
func (f *fenced) frame() int { return 2*len(f.fence) + len(f.info) + 2 }

// note says how much is not shown.
func (f *fenced) note(lines int) string {
	said := fmt.Sprintf("%d lines cut", lines)
	if lines == 1 {
		said = "1 line cut"
	}
	if l := link("the full text", f.url); l != "" {
		said += "; " + l
	}
	return "\n" + said + ".\n"
}

// write takes at most room bytes, and at least what least says.
func (f *fenced) write(b *strings.Builder, room int) {
	body, kept, note := f.body, f.kept, ""
	if f.part || f.size > room {
		room -= f.frame() + len(f.note(f.lines))
		var cut bool
		body, kept, cut = f.head(room)
		if body == "" {
			b.WriteString(f.note(f.lines))
			return
		}
		if cut {
			kept--
		}
		note = f.note(max(f.lines-kept, 1))
	}
	b.WriteString(f.fence + f.info + "\n")
	b.WriteString(body)
	b.WriteString(f.fence + "\n")
	b.WriteString(note)
}

// head is as many lines as room has bytes for. A line that would leave much of it
// unused is cut, and ends in an ellipsis.
func (f *fenced) head(room int) (body string, lines int, cut bool) {
	const ellipsis = "…\n"
	if room < len(ellipsis)+8 {
		return "", 0, false
	}
	body = f.body
	if len(body) <= room { // all that was looked at, of more
		if !f.part {
			return body, f.kept, false
		}
		room = len(body)
	}
	end := strings.LastIndexByte(body[:room], '\n') + 1
	if end == len(body) { // the last line that was looked at may go on
		end = strings.LastIndexByte(body[:end-1], '\n') + 1
	}
	if end >= room/2 {
		return body[:end], strings.Count(body[:end], "\n"), false
	}
	body = body[:runeCut(body, room-len(ellipsis))]
	if strings.HasSuffix(body, "\n") {
		return body, strings.Count(body, "\n"), false
	}
	return body + ellipsis, strings.Count(body, "\n") + 1, true
}

// link is a link of ours; "" where there is no page. Only an address that can mean
// nothing else in Markdown is taken.
func link(text, url string) string {
	if url = safeURL(url); url == "" {
		return ""
	}
	return "[" + text + "](" + url + ")"
}

const longestURL = 500

func safeURL(url string) string {
	rest, ok := strings.CutPrefix(url, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(url, "http://")
	}
	if !ok || rest == "" || len(url) > longestURL {
		return ""
	}
	for _, c := range []byte(rest) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~:/?#+=%", c) >= 0) {
			return ""
		}
	}
	return url
}
