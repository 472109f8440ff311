package mirror

import (
	"strings"
	"unicode/utf8"
)

// What one path and one commit may cost. Git itself has no such limits; a few
// hundred bytes of nested trees can name billions of files.
const (
	maxPath  = 4000      // bytes
	maxFiles = 1_000_000 // in one commit
)

// badName says why a name may not be written to disk, "" when it may. Names
// that some file system takes for ".git" are refused on all of them
// (CVE-2014-9390 and its kin): the same repository is checked out elsewhere.
func badName(name string) string {
	switch {
	case name == "":
		return "empty name"
	case name == "." || name == "..":
		return "names a directory's own entry"
	case strings.ContainsAny(name, "/\x00"):
		return "holds a slash or a NUL byte"
	case len(name) > 255:
		return "a name is longer than 255 bytes"
	}
	if strings.IndexByte(name, '\\') >= 0 {
		// Legal here, a separator on Windows: each part is judged as a name.
		for part := range strings.SplitSeq(name, `\`) {
			if isDotGit(part) {
				return "some file systems take it for .git"
			}
		}
	}
	if isDotGit(name) {
		return "some file systems take it for .git"
	}
	return ""
}

// isDotGit says whether a file system may read name as ".git": regardless of
// case (HFS+, NTFS, APFS), with code points that HFS+ ignores, as NTFS's short
// name git~1, with trailing dots and spaces or a stream name behind a colon.
func isDotGit(name string) bool {
	if len(name) < 4 {
		return false
	}
	if c := name[0]; c != '.' && c != 'g' && c != 'G' && c < utf8.RuneSelf {
		return false
	}
	name, _, _ = strings.Cut(name, ":")
	name = strings.TrimRight(name, ". ")
	name = strings.Map(func(r rune) rune {
		if ignoredByHFS(r) {
			return -1
		}
		return r
	}, name)
	return strings.EqualFold(name, ".git") || strings.EqualFold(name, "git~1")
}

// ignoredByHFS is the list of Git's utf8.c, next_hfs_char.
func ignoredByHFS(r rune) bool {
	switch {
	case r >= 0x200c && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x206a && r <= 0x206f, r == 0xfeff:
		return true
	}
	return false
}
