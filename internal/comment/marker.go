package comment

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
)

// Marker is what a comment is found by: one word, made of what the comment is
// about. It stands hidden in the last line of a comment. It proves nothing of who
// wrote a comment: ask the forge for that.
func Marker(kind, repository string, number int, more ...string) string {
	parts := append([]string{kind, repository, strconv.Itoa(number)}, more...)
	for i, p := range parts {
		parts[i] = markerPart(p, "")
	}
	return bounded("mooring:" + strings.Join(parts, ":"))
}

// longestMarker keeps a marker small beside what any forge takes.
const longestMarker = 300

// bounded is a marker, or its digest where it is too long.
func bounded(marker string) string {
	if len(marker) <= longestMarker {
		return marker
	}
	return fmt.Sprintf("mooring:%x", sha256.Sum256([]byte(marker)))
}

// HasMarker reports whether a comment carries the marker, in the place where we
// put it. What looks like one elsewhere is somebody's text.
func HasMarker(body, marker string) bool {
	if marker == "" {
		return false
	}
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(body, "\r\n", "\n"), "\n \t"), "\n")
	return lines[len(lines)-1] == hidden(marker)
}

// hidden is the line that carries a marker; "" for no marker.
func hidden(marker string) string {
	if marker == "" {
		return ""
	}
	parts := strings.Split(marker, ":")
	for i, p := range parts {
		parts[i] = markerPart(p, "%")
	}
	return "<!-- " + bounded(strings.Join(parts, ":")) + " -->"
}

// markerPart writes what could end the comment, or a part, as %3a. With keep "%" it
// leaves alone what it wrote itself.
func markerPart(s, keep string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '/', strings.IndexByte(keep, c) >= 0:
			b.WriteByte(c)
		case c == '-' && i > 0 && i < len(s)-1 && s[i-1] != '-':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}
