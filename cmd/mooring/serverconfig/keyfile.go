package serverconfig

import (
	"fmt"
	"os"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// keyFile is the path of an age identity that nobody but its owner can read. The
// runner reads it; here it is looked at, so that a wrong one is said with its line.
func (d *decoder) keyFile(a *hcl.Attribute) string {
	p := d.path(a)
	if p == "" {
		return ""
	}
	if ageKey.MatchString(p) {
		d.fail(a.Expr.Range(), "Secret in the file", "key_file is the path of a file that holds the key, not the key itself.")
		return ""
	}
	info, err := os.Stat(p)
	switch {
	case err != nil:
		d.fail(a.Expr.Range(), "Cannot read the key", fmt.Sprintf("key_file: %v. Make one with age-keygen -o %s, or leave key_file out: Mooring then makes its own in data_dir.", err, p))
		return ""
	case !info.Mode().IsRegular():
		d.fail(a.Expr.Range(), "Cannot read the key", fmt.Sprintf("key_file: %s is not a file.", p))
		return ""
	case info.Mode().Perm()&0o077 != 0:
		d.fail(a.Expr.Range(), "Others may use the key", fmt.Sprintf("%s has mode %04o and opens every saved plan: chmod 600 %s.", p, info.Mode().Perm(), p))
		return ""
	}
	b, err := readFile(p)
	if err != nil {
		d.fail(a.Expr.Range(), "Cannot read the key", fmt.Sprintf("key_file: %v. Make it belong to the user that Mooring runs as.", err))
		return ""
	}
	if !strings.Contains(string(b), "AGE-SECRET-KEY-") {
		d.fail(a.Expr.Range(), "Not a key", fmt.Sprintf("%s holds no age identity (AGE-SECRET-KEY-…). age-keygen makes one.", p))
		return ""
	}
	return p
}
