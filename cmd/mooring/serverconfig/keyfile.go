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

var sopsSchema = attributes("age_key_file", "key_service", "keys")

func (d *decoder) sops(b *hcl.Block) Sops {
	at := d.single(b, sopsSchema)
	s := Sops{
		AgeKeyFile: d.ageKeyFile(at["age_key_file"], "opens every encrypted file", ""),
		KeyService: d.path(at["key_service"]),
		Keys:       d.list(at["keys"]),
	}
	switch {
	case b == nil:
	case at["age_key_file"] == nil && at["key_service"] == nil:
		d.fail(b.DefRange, "No key", "A sops block names the file of an age identity, age_key_file = \"…\", or the unix socket of a `sops keyservice`, key_service = \"…\".")
	case at["key_service"] != nil && at["keys"] == nil:
		d.fail(at["key_service"].Range, "Any key", "The key service has credentials, and a file in a repository may name any key at any address: keys = [\"arn:…\"] lists what it may be asked for.")
	case at["key_service"] == nil && at["keys"] != nil:
		d.fail(at["keys"].Range, "No key service", "keys lists what a key service may be asked for, and none is named: key_service = \"…\".")
	}
	return s
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
