package serverconfig

import (
	"fmt"
	"os"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// keyFile is the path of the identity that seals saved plans.
func (d *decoder) keyFile(a *hcl.Attribute) string {
	return d.ageKeyFile(a, "opens every saved plan", ", or leave key_file out: Mooring then makes its own in data_dir")
}

var sopsSchema = attributes("age_key_file")

func (d *decoder) sops(b *hcl.Block) Sops {
	at := d.single(b, sopsSchema)
	if b != nil && at["age_key_file"] == nil {
		d.fail(b.DefRange, "No key", "A sops block names the file of an age identity: age_key_file = \"…\".")
	}
	return Sops{AgeKeyFile: d.ageKeyFile(at["age_key_file"], "opens every encrypted file", "")}
}

// ageKeyFile is the path of an age identity that nobody but its owner can read. The
// runner reads it; here it is looked at, so that a wrong one is said with its line.
func (d *decoder) ageKeyFile(a *hcl.Attribute, opens, instead string) string {
	p := d.path(a)
	if p == "" {
		return ""
	}
	if ageKey.MatchString(p) {
		d.fail(a.Expr.Range(), "Secret in the file", a.Name+" is the path of a file that holds the key, not the key itself.")
		return ""
	}
	info, err := os.Stat(p)
	switch {
	case err != nil:
		d.fail(a.Expr.Range(), "Cannot read the key", fmt.Sprintf("%s: %v. Make one with age-keygen -o %s%s.", a.Name, err, p, instead))
		return ""
	case !info.Mode().IsRegular():
		d.fail(a.Expr.Range(), "Cannot read the key", fmt.Sprintf("%s: %s is not a file.", a.Name, p))
		return ""
	case info.Mode().Perm()&0o077 != 0:
		d.fail(a.Expr.Range(), "Others may use the key", fmt.Sprintf("%s has mode %04o and %s: chmod 600 %s.", p, info.Mode().Perm(), opens, p))
		return ""
	}
	b, err := readFile(p)
	if err != nil {
		d.fail(a.Expr.Range(), "Cannot read the key", fmt.Sprintf("%s: %v. Make it belong to the user that Mooring runs as.", a.Name, err))
		return ""
	}
	if !strings.Contains(string(b), "AGE-SECRET-KEY-") {
		d.fail(a.Expr.Range(), "Not a key", fmt.Sprintf("%s holds no age identity (AGE-SECRET-KEY-…). age-keygen makes one.", p))
		return ""
	}
	return p
}
