package serverconfig

import (
	"encoding/pem"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Policy is a set of rules that the operator keeps.
type Policy struct {
	Name         string
	Path         string        // a directory, absolute; "" with a bundle
	Bundle       string        // https URL or absolute path of a signed bundle; "" with a directory
	PublicKeys   []string      // PEM; one of them has to have signed the bundle
	Algorithm    string        // of the signature; "" goes by the key
	Scope        string        // that the signature has to name; "" is none
	MaxAge       time.Duration // how long the last good bundle is used where no newer one can be had; 0 is not at all
	AllowOlder   bool          // a bundle that was used before the last one is used again
	Token        string        // "" is none
	CABundle     []byte        // PEM; nil for the system's
	Namespaces   []string      // none is "main", "*" is all
	V0           bool          // the syntax of Rego before 1.0
	Required     bool          // where it has no rule, nothing passes
	Repositories []string      // that it judges; none is all
}

var policySchema = attributes("path", "bundle", "public_key", "algorithm", "scope", "max_age", "allow_older", "token", "ca_bundle", "namespaces", "rego", "required", "repositories")

func (d *decoder) policy(b *hcl.Block) Policy {
	at := d.content(b.Body, policySchema).Attributes
	p := Policy{
		Name:         b.Labels[0],
		Namespaces:   d.namespaces(at["namespaces"]),
		V0:           d.oneOf(at["rego"], "v1", "v0") == "v0",
		Required:     d.flag(at["required"]),
		Repositories: d.repositoryNames(at["repositories"]),
	}
	switch path, bundle := at["path"], at["bundle"]; {
	case path == nil && bundle == nil:
		d.fail(b.DefRange, "Policy without rules", fmt.Sprintf("Policy %q needs path = \"DIRECTORY\", or bundle = \"https://…\" with its public_key.", p.Name))
	case path != nil && bundle != nil:
		d.fail(bundle.NameRange, "Policy with two places", fmt.Sprintf("Policy %q has both path and bundle: keep one.", p.Name))
	case path != nil:
		p.Path = d.directory(path)
		d.unused(at, "a bundle, and this policy is a directory", "public_key", "algorithm", "scope", "max_age", "allow_older", "token", "ca_bundle")
	default:
		d.bundle(&p, at)
	}
	return p
}

// directory is a path of one that may come later. Until then nothing passes, which is
// worth a warning.
func (d *decoder) directory(a *hcl.Attribute) string {
	p := d.existing(a)
	if info, err := os.Stat(p); err == nil && !info.IsDir() {
		d.fail(a.Expr.Range(), "Not a directory", fmt.Sprintf("%s is the directory that rules lie in; %s is none. A bundle is said with bundle = \"…\".", a.Name, p))
	}
	return p
}

// unused says which arguments have no effect here.
func (d *decoder) unused(at hcl.Attributes, what string, names ...string) {
	for _, name := range names {
		if a := at[name]; a != nil {
			d.warn(a.NameRange, "Not used", fmt.Sprintf("%s is for %s.", name, what))
		}
	}
}

// algorithms are those of keys that have a public part, as OPA spells them.
var algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"}

func (d *decoder) bundle(p *Policy, at hcl.Attributes) {
	a := at["bundle"]
	if at["public_key"] == nil {
		d.fail(a.NameRange, "Bundle without a key", "A bundle is used only where it is signed: public_key = \"FILE\" names the PEM file of the key whose signature it needs.")
	}
	p.PublicKeys = d.publicKeys(at["public_key"])
	if alg := at["algorithm"]; alg != nil {
		if s := d.text(alg); s != "" && d.known(alg.Expr.Range(), alg.Name, s, algorithms...) {
			p.Algorithm = s
		}
	}
	p.Scope = d.text(at["scope"])
	p.MaxAge = d.duration(at["max_age"], 0, time.Second)
	p.AllowOlder = d.flag(at["allow_older"])
	p.Token = d.secret(at["token"])
	p.CABundle = d.pem(at["ca_bundle"])
	switch s := d.text(a); {
	case s == "":
	case strings.HasPrefix(s, "https://"):
		p.Bundle = d.httpURL(a)
	case strings.Contains(s, "://"):
		d.fail(a.Expr.Range(), "Not an address of a bundle", "A bundle is fetched over https://, or read from a file.")
	default:
		p.Bundle = d.existing(a)
		d.unused(at, "a bundle that is fetched over https; this one is a file", "max_age", "token", "ca_bundle")
	}
}

// publicKeys are the keys of a PEM text: several while one takes the place of another.
func (d *decoder) publicKeys(a *hcl.Attribute) (keys []string) {
	for rest := d.pem(a); len(rest) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if !strings.HasSuffix(block.Type, "PUBLIC KEY") {
			d.fail(a.Expr.Range(), "Not a public key", fmt.Sprintf("%s holds a %s. Give it the public part alone: openssl pkey -pubout.", a.Name, block.Type))
			return nil
		}
		keys = append(keys, string(pem.EncodeToMemory(block)))
	}
	return keys
}

var regoPackage = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)(\.[A-Za-z_][A-Za-z0-9_]*)*$`)

// namespaces are packages whose rules are asked.
func (d *decoder) namespaces(a *hcl.Attribute) []string {
	var all []string
	for _, i := range d.filled(a, "namespaces = [\"main\"] names the packages whose rules are asked") {
		switch {
		case strings.HasPrefix(i.text, "data."):
			d.fail(i.at, "Not a package", fmt.Sprintf("A namespace is what the line \"package\" says: %q.", strings.TrimPrefix(i.text, "data.")))
		case i.text != "*" && !regoPackage.MatchString(i.text):
			d.fail(i.at, "Not a package", "A namespace is the name of a Rego package, such as \"main\" or \"org.network\"; \"*\" alone is all of them.")
		default:
			all = append(all, i.text)
		}
	}
	return all
}
