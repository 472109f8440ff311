package serverconfig

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// publicPEM is a public key that is always the same.
func publicPEM(t *testing.T, seed byte) string {
	t.Helper()
	key := ed25519.NewKeyFromSeed(append(make([]byte, ed25519.SeedSize-1), seed))
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

const repo = "repository \"infra\" {\n url = \"/u\"\n}\n"

func TestPoliciesAreRead(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "keys.pub"), "old and new\n"+publicPEM(t, 1)+publicPEM(t, 2), 0o644)
	write(t, filepath.Join(dir, "token"), "s3cret\n", 0o600)
	write(t, filepath.Join(dir, "org.tar.gz"), "a bundle", 0o644)
	for _, name := range []string{"rules", "old"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	src := `
data_dir = "d"
policy "org" {
  path       = "rules"
  namespaces = ["main", "org.network"]
  required   = true
}
policy "signed" {
  bundle     = "https://policies.example.com/org.tar.gz"
  public_key = file("keys.pub")
  algorithm  = "ES256"
  scope      = "write"
  max_age    = "24h"
  token      = file("token")
  rego       = "v0"
}
policy "local" {
  bundle       = "org.tar.gz"
  public_key   = "keys.pub"
  allow_older  = true
  namespaces   = ["*"]
  repositories = ["infra"]
}
pack {
  repositories = ["infra"]
  rule "terraform.stateful" {
    effect   = "deny"
    settings = { approvers = "team:dba", "approvals" : 2, types = ["acme_db"] }
  }
  rule "kubernetes.privileged" {
    effect = "off"
  }
  rule "terraform.public_ingress" {
    settings = { ports = [80, 443] }
  }
}
team "dba" {
  members = ["ann", "bob-2"]
}
repository "infra" {
  url = "/srv/infra"
  policy {
    dir           = "ci/policy"
    namespaces    = ["main"]
    rego          = "v0"
    required      = true
    self_approval = true
    preflight     = "deny"
    providers     = ["hashicorp/*"]
    modules       = []
    functions     = ["file(../common/*)"]
  }
}
repository "plain" {
  url = "/srv/plain"
}
`
	c, files, diags := Parse(filepath.Join(dir, "server.hcl"), []byte(src), noEnv)
	if c == nil || len(diags) > 0 {
		t.Fatal(printed(t, files, diags))
	}
	keys := []string{publicPEM(t, 1), publicPEM(t, 2)}
	for _, diff := range []string{
		cmp.Diff([]Policy{
			{Name: "org", Path: filepath.Join(dir, "rules"), Namespaces: []string{"main", "org.network"}, Required: true},
			{Name: "signed", Bundle: "https://policies.example.com/org.tar.gz", PublicKeys: keys, Algorithm: "ES256", Scope: "write", MaxAge: 24 * time.Hour, Token: "s3cret", V0: true},
			{Name: "local", Bundle: filepath.Join(dir, "org.tar.gz"), PublicKeys: keys, AllowOlder: true, Namespaces: []string{"*"}, Repositories: []string{"infra"}},
		}, c.Policies),
		cmp.Diff(Pack{Enabled: true, Repositories: []string{"infra"}, Rules: []PackRule{
			{ID: "terraform.stateful", Settings: map[string]any{"effect": "deny", "approvers": "team:dba", "approvals": 2.0, "types": []any{"acme_db"}}},
			{ID: "kubernetes.privileged", Settings: map[string]any{"effect": "off"}},
			{ID: "terraform.public_ingress", Settings: map[string]any{"ports": []any{80.0, 443.0}}},
		}}, c.Pack),
		cmp.Diff([]Team{{Name: "dba", Members: []string{"ann", "bob-2"}}}, c.Teams),
		cmp.Diff(RepositoryPolicy{
			Dir: "ci/policy", Namespaces: []string{"main"}, V0: true, Required: true, SelfApproval: true, Preflight: "deny",
			Providers: []string{"hashicorp/*"}, Modules: []string{}, Functions: []string{"file(../common/*)"},
		}, c.Repositories[0].Policy),
		cmp.Diff(RepositoryPolicy{}, c.Repositories[1].Policy),
	} {
		if diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestWithoutAPackBlockNoneOfItsRulesIsAsked(t *testing.T) {
	for src, want := range map[string]bool{"": false, "pack {}\n": true} {
		c, files, diags := Parse("server.hcl", []byte("data_dir = \"d\"\n"+repo+src), noEnv)
		if c == nil {
			t.Fatal(printed(t, files, diags))
		}
		if c.Pack.Enabled != want {
			t.Errorf("%q: enabled is %v, want %v", src, c.Pack.Enabled, want)
		}
	}
}

func TestMistakesInPolicies(t *testing.T) {
	dir := t.TempDir()
	public, private := filepath.Join(dir, "a.pub"), filepath.Join(dir, "a.pem")
	write(t, public, publicPEM(t, 1), 0o644)
	write(t, private, privateKey, 0o600)
	in := func(body string) string { return "policy \"org\" {\n" + body + "\n}" } // the body begins in line 3
	bundle := func(rest string) string {
		return in(" bundle = \"https://example.com/b\"\n public_key = \"" + public + "\"\n " + rest) // the rest is line 5
	}
	checkMistakes(t, noEnv, []mistake{
		{"no place", in(""), []string{"2: Policy without rules"}, "path = \"DIRECTORY\""},
		{"two places", in(" path = \"" + dir + "\"\n bundle = \"https://example.com/b\"\n public_key = \"" + public + "\""), []string{"4: Policy with two places"}, "keep one"},
		{"a file for a directory", in(" path = \"" + public + "\""), []string{"3: Not a directory"}, "bundle = "},
		{"a directory that is not there", in(" path = \"/nowhere/rules\""), []string{"3: File not found"}, "/nowhere/rules"},
		{"a directory with a key", in(" path = \"" + dir + "\"\n public_key = \"x\"\n token = \"canary\""), []string{"4: Not used", "5: Not used"}, "this policy is a directory"},
		{"a bundle without a key", in(" bundle = \"https://example.com/b\""), []string{"3: Bundle without a key"}, "public_key"},
		{"a bundle over http", in(" bundle = \"http://example.com/b\"\n public_key = \"" + public + "\""), []string{"3: Not an address of a bundle"}, "https://"},
		{"a bundle with a password", in(" bundle = \"https://a:canary@example.com/b\"\n public_key = \"" + public + "\""), []string{"3: Credentials in a URL"}, ""},
		{"a private key", in(" bundle = \"https://example.com/b\"\n public_key = \"" + private + "\""), []string{"4: Not a public key"}, "openssl pkey -pubout"},
		{"no key at all", in(" bundle = \"https://example.com/b\"\n public_key = \"/nowhere/key\""), []string{"4: Cannot read a file"}, ""},
		{"a shared secret's algorithm", bundle("algorithm = \"HS256\""), []string{"5: Unknown value"}, `did you mean "RS256"?`},
		{"a token in the file", bundle("token = \"canary\""), []string{"5: Secret in the file"}, "env(\"NAME\")"},
		{"an age that is none", bundle("max_age = \"a day\""), []string{"5: Not a duration"}, ""},
		{"a token for a file", in(" bundle = \"" + public + "\"\n public_key = \"" + public + "\"\n max_age = \"1h\""), []string{"5: Not used"}, "this one is a file"},
		{"a namespace of Rego's data", bundle("namespaces = [\"data.main\"]"), []string{"5: Not a package"}, `"main"`},
		{"a namespace with a pattern", bundle("namespaces = [\"org.*\"]"), []string{"5: Not a package"}, "alone is all of them"},
		{"no namespaces", bundle("namespaces = []"), []string{"5: Empty list"}, ""},
		{"a version of Rego", bundle("rego = \"v2\""), []string{"5: Unknown value"}, `"v1" or "v0"`},
		{"no such repository", repo + bundle("repositories = [\"infar\"]"), []string{"8: Unknown value"}, `did you mean "infra"?`},
		{"a key that is not", bundle("key_id = \"a\""), []string{"5: Unsupported argument"}, ""},
		{"the same name", in(" path = \""+dir+"\"") + "\n" + in(" path = \""+dir+"\""), []string{"5: Duplicate policy"}, ""},
		{"no name", "policy {\n path = \"x\"\n}", []string{"2: Missing name for policy"}, ""},
	})
}

func TestMistakesInThePack(t *testing.T) {
	in := func(body string) string { return "pack {\n rule \"terraform.stateful\" {\n" + body + "\n }\n}" } // the body begins in line 4
	checkMistakes(t, noEnv, []mistake{
		{"no such rule", "pack {\n rule \"terraform.statefull\" {}\n}", []string{"3: Unknown rule"}, `did you mean "terraform.stateful"?`},
		{"a rule twice", "pack {\n rule \"terraform.stateful\" {}\n rule \"terraform.stateful\" {}\n}", []string{"4: Duplicate rule"}, ":3"},
		{"two packs", "pack {}\npack {}", []string{"3: Duplicate pack block"}, ""},
		{"no such effect", in(" effect = \"denny\""), []string{"4: Unknown value"}, `did you mean "deny"?`},
		{"an effect among the settings", in(" settings = { effect = \"deny\" }"), []string{"4: Effect in settings"}, "stands beside"},
		{"no such setting", in(" settings = {\n approver = \"team:dba\"\n}"), []string{"5: Unknown setting"}, `did you mean "approvers"?`},
		{"a setting of another type", in(" settings = {\n types = \"acme_db\"\n}"), []string{"5: Wrong value"}, "types has to be a array"},
		{"a list of numbers", in(" settings = { types = [3] }"), []string{"4: Wrong value"}, "list of strings"},
		{"too few people", in(" settings = { approvals = 0 }"), []string{"4: Wrong value"}, "at least 1"},
		{"null", in(" settings = { approvals = null }"), []string{"4: Wrong value"}, "has to be a number"},
		{"a setting twice", in(" settings = {\n approvals = 1\n approvals = 2\n}"), []string{"6: Duplicate key"}, ""},
		{"settings that are none", in(" settings = 3"), []string{"4: Wrong type"}, "object of values"},
		{"a variable", in(" settings = { approvals = var.n }"), []string{"4: Variables not allowed"}, ""},
		{"a key that is not", "pack {\n enabled = true\n}", []string{"3: Unsupported argument"}, ""},
		{"no such repository", repo + "pack {\n repositories = [\"infar\"]\n}", []string{"6: Unknown value"}, `did you mean "infra"?`},
	})
}

func TestMistakesInTeams(t *testing.T) {
	in := func(members string) string { return "team \"dba\" {\n members = " + members + "\n}" }
	checkMistakes(t, noEnv, []mistake{
		{"nobody", "team \"dba\" {}", []string{"2: Team without members"}, "members = "},
		{"an empty list", in("[]"), []string{"3: Empty list"}, "nobody is in this one"},
		{"an at sign", in("[\"ann\", \"@bob\"]"), []string{"3: Not a login"}, `without @: "bob"`},
		{"a team of the forge", in("[\"acme/dba\"]"), []string{"3: Not a login"}, "one word"},
		{"an empty name", in("[\"\"]"), []string{"3: Not a login"}, ""},
		{"somebody twice", in("[\"ann\", \"Ann\"]"), []string{"3: Named twice"}, ""},
		{"the same team", in("[\"ann\"]") + "\n" + in("[\"bob\"]"), []string{"5: Duplicate team"}, ""},
		{"a slash in the name", "team \"acme/dba\" {\n members = [\"ann\"]\n}", []string{"2: Invalid name"}, ""},
	})
}

func TestMistakesInAPolicyOfARepository(t *testing.T) {
	in := func(body string) string {
		return "repository \"infra\" {\n url = \"/u\"\n policy {\n" + body + "\n }\n}"
	} // the body begins in line 5
	checkMistakes(t, noEnv, []mistake{
		{"two blocks", "repository \"infra\" {\n url = \"/u\"\n policy {}\n policy {}\n}", []string{"5: Duplicate policy block"}, ""},
		{"a directory outside", in("dir = \"../policy\""), []string{"5: Bad path"}, "ci/policy"},
		{"an absolute directory", in("dir = \"/etc/policy\""), []string{"5: Bad path"}, ""},
		{"the whole repository", in("dir = \".\""), []string{"5: Bad path"}, ""},
		{"no such mode", in("preflight = \"on\""), []string{"5: Unknown value"}, `"ask", "deny" or "off"`},
		{"a list that nothing asks for", in("preflight = \"off\"\nproviders = [\"hashicorp/*\"]"), []string{"6: Not used"}, ""},
		{"an empty name", in("providers = [\"\"]"), []string{"5: Not a pattern"}, ""},
		{"a bracket that nobody closed", in("modules = [\"a[b\"]"), []string{"5: Not a pattern"}, ""},
		{"a space", in("modules = [\" a\"]"), []string{"5: Not a pattern"}, ""},
		{"a string for a list", in("providers = \"hashicorp/*\""), []string{"5: Wrong type"}, "list of strings"},
		{"a flag that is text", in("self_approval = \"yes\""), []string{"5: Wrong type"}, "true or false"},
		{"a key that is not", in("data = [\"x\"]"), []string{"5: Unsupported argument"}, ""},
		{"a label", "repository \"infra\" {\n url = \"/u\"\n policy \"x\" {}\n}", []string{"4: Extraneous label for policy"}, ""},
	})
}
