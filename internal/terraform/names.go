package terraform

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	unsafeInName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)
	plainName    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,62}$`)
	hashedName   = regexp.MustCompile(`-[0-9a-f]{24}$`)
)

// hashName makes a directory name that a person recognises and no two keys share: a readable part and 96 bits of the keys' digest.
func hashName(readable string, keys ...string) string {
	sum := sha256.New()
	for _, key := range keys {
		fmt.Fprintf(sum, "%d:%s;", len(key), key)
	}
	readable = strings.Trim(unsafeInName.ReplaceAllString(readable, "-"), "-.")
	if len(readable) > 32 {
		readable = strings.Trim(readable[:32], "-.")
	}
	return readable + "-" + hex.EncodeToString(sum.Sum(nil))[:24]
}

// repositoryName is the directory of a repository below state/. A plain name stays as it is, because people look for their state there;
// any other one, and one that looks like a made name, gets a digest.
func repositoryName(name string) string {
	if plainName.MatchString(name) && !hashedName.MatchString(name) {
		return name
	}
	return hashName(name, "repository", name)
}

// inRepository cleans a path given relative to base (both repository paths, slash separated, "." is the root) and refuses one that
// leaves the repository. ok is false for absolute paths too.
func inRepository(base, name string) (clean string, ok bool) {
	if path.IsAbs(name) || filepath.IsAbs(name) || strings.ContainsRune(name, 0) {
		return "", false
	}
	clean = path.Join(base, name)
	return clean, clean != ".." && !strings.HasPrefix(clean, "../")
}
