package workspace

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrBadName is wrapped by every error of CheckName.
var ErrBadName = errors.New("not a usable name")

const longestName = 512

// CheckName is the one validator for unit ids, repository paths and Terraform
// workspace names at every entrance. Such a name ends up in file paths, argument
// lists, comments and logs, so it must not be able to act in any of them: no
// control or invisible characters, no "..", no leading "-", "/" or space.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", ErrBadName)
	case len(name) > longestName:
		return fmt.Errorf("%w: it is longer than %d bytes", ErrBadName, longestName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: it is not UTF-8", ErrBadName)
	case strings.HasPrefix(name, "-"):
		return fmt.Errorf("%w: %q begins with \"-\"", ErrBadName, name)
	case strings.HasPrefix(name, "/"):
		return fmt.Errorf("%w: %q begins with \"/\"", ErrBadName, name)
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("%w: %q begins or ends with a space", ErrBadName, name)
	case strings.Contains(name, `\`):
		return fmt.Errorf("%w: %q holds a backslash", ErrBadName, name)
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("%w: %q holds the character %U", ErrBadName, name, r)
		}
	}
	for segment := range strings.SplitSeq(name, "/") {
		if segment == ".." {
			return fmt.Errorf("%w: %q climbs with \"..\"", ErrBadName, name)
		}
	}
	return nil
}

// CheckTerraformWorkspace adds what Terraform asks of a workspace name: it is one
// path segment, and needs no escaping in a URL.
func CheckTerraformWorkspace(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	for _, r := range name {
		if r > unicode.MaxASCII || !(unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_.~$&+=:@", r)) {
			return fmt.Errorf("%w: %q holds %q, which Terraform does not take in a workspace name", ErrBadName, name, r)
		}
	}
	if name == "." {
		return fmt.Errorf("%w: %q names a directory", ErrBadName, name)
	}
	return nil
}
