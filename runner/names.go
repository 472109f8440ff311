package runner

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// fileName makes one path element of a name that may hold any character: the
// readable part of it, and a hash so that two names never share a file.
func fileName(name string) string {
	readable := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
			return c
		}
		return '-'
	}, name)
	if len(readable) > 40 {
		readable = readable[:40]
	}
	sum := sha256.Sum256([]byte(name))
	return strings.Trim(readable, "-") + "-" + hex.EncodeToString(sum[:6])
}
