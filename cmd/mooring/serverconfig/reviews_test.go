package serverconfig

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const privateKey = "-----BEGIN RSA PRIVATE KEY-----\nMAA=\n-----END RSA PRIVATE KEY-----\n"

func TestReviewsAreRead(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "app.pem"), privateKey, 0o600)
	ca := "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
	write(t, filepath.Join(dir, "ca.pem"), ca, 0o600)
	src := `
data_dir   = "d"
listen     = ":4141"
public_url = "https://mooring.example.com"
pages {
  password = env("PAGES")
}
repository "infra" {
  url             = "https://git.example.com:3000/acme/infra.git"
  branch          = "main"
  ca_bundle       = "ca.pem"
  apply           = "before_merge"
  require         = ["approved", "mergeable", "up_to_date", "policies"]
  review_branches = ["review/*", "refs/heads/try"]
  drafts          = true
  labels          = ["plan", "needs plan"]
  forks           = "never"
  merge           = "squash"
  forge "gitea" {
    token          = env("TOKEN")
    webhook_secret = env("HOOK")
    teams          = { apply = ["acme/team"], "approve" : ["acme/dba", "acme/sec"] }
  }
}
repository "hub" {
  url     = "https://github.com/acme/infra"
  forge "github" {
    webhook_secret = env("HOOK")
    app {
      id           = 12
      installation = 345678901234
      private_key  = file("app.pem")
    }
  }
}
repository "lab" {
  url             = "/srv/git/infra.git"
  review_branches = ["review/*"]
  forge "gitlab" {
    url            = "https://gitlab.example.com/"
    repository     = "acme/platform/infra"
    token          = env("TOKEN")
    webhook_secret = env("HOOK")
    ca_bundle      = "ca.pem"
    teams          = { apply = ["acme", "acme/platform/ops"] }
  }
}
`
	c, files, diags := Parse(filepath.Join(dir, "server.hcl"), []byte(src), vars(map[string]string{"TOKEN": "t0ken", "HOOK": "h00k", "PAGES": "correct horse battery"}))
	if len(diags) > 0 {
		t.Fatal(printed(t, files, diags))
	}
	if c.Pages.Password != "correct horse battery" {
		t.Errorf("password %q", c.Pages.Password)
	}
	want := []Reviews{
		{Branches: []string{"review/*", "try"}, Drafts: true, Labels: []string{"plan", "needs plan"}, Forks: "never", Merge: "squash"},
		noReviews,
		{Branches: []string{"review/*"}, Forks: "ask", Merge: "never"},
	}
	forges := []*Forge{
		{Kind: "gitea", URL: "https://git.example.com:3000", Repository: "acme/infra", Token: "t0ken", WebhookSecret: "h00k", Teams: Teams{Apply: []string{"acme/team"}, Approve: []string{"acme/dba", "acme/sec"}}, CABundle: []byte(ca)},
		{Kind: "github", URL: "https://github.com", Repository: "acme/infra", App: &App{ID: 12, Installation: 345678901234, PrivateKey: []byte(privateKey)}, WebhookSecret: "h00k"},
		{Kind: "gitlab", URL: "https://gitlab.example.com", Repository: "acme/platform/infra", Token: "t0ken", WebhookSecret: "h00k", Teams: Teams{Apply: []string{"acme", "acme/platform/ops"}}, CABundle: []byte(ca)},
	}
	for i, r := range c.Repositories {
		if diff := cmp.Diff(want[i], r.Reviews); diff != "" {
			t.Errorf("reviews of %s (-want +got):\n%s", r.Name, diff)
		}
		if diff := cmp.Diff(forges[i], r.Forge); diff != "" {
			t.Errorf("forge of %s (-want +got):\n%s", r.Name, diff)
		}
	}
}

func TestForgeOfAGitURL(t *testing.T) {
	tests := []struct{ kind, git, given, root, repository string }{
		{"gitea", "https://git.example.com/acme/infra.git", "", "https://git.example.com", "acme/infra"},
		{"gitea", "https://Git.Example.com/acme/infra/", "", "https://git.example.com", "acme/infra"},
		{"gitea", "http://127.0.0.1:3000/acme/infra", "", "http://127.0.0.1:3000", "acme/infra"},
		{"gitea", "ssh://git@git.example.com:2222/acme/infra.git", "", "https://git.example.com", "acme/infra"},
		{"gitea", "ssh://git@[2001:db8::1]:2222/acme/infra.git", "", "https://[2001:db8::1]", "acme/infra"},
		{"gitea", "git@git.example.com:acme/infra.git", "", "https://git.example.com", "acme/infra"},
		{"gitea", "git.example.com:acme/infra.git", "", "https://git.example.com", "acme/infra"},
		{"gitea", "https://example.com/git/acme/infra.git", "", "", ""}, // below which path?
		{"gitea", "https://example.com/git/acme/infra.git", "https://example.com/git", "https://example.com", "acme/infra"},
		{"gitea", "git@example.com:acme/infra.git", "https://example.com/acme", "https://example.com", "acme/infra"}, // ssh has no path before
		{"gitea", "https://example.com/acme/infra.git", "https://other.example.com/acme", "https://example.com", "acme/infra"},
		{"gitea", "https://git.example.com/infra.git", "", "", ""},
		{"gitea", "https://git.example.com/acme/..", "", "", ""},
		{"gitea", "https://git.example.com/a%20b/infra", "", "", ""},
		{"gitea", "/srv/git/acme/infra.git", "", "", ""},
		{"gitea", "file:///srv/acme/infra.git", "", "", ""},
		{"github", "https://github.com/acme/infra.git", "", "https://github.com", "acme/infra"},
		{"github", "git@github.com:acme/.github.git", "", "https://github.com", "acme/.github"},
		{"github", "ssh://git@ssh.github.com:443/acme/infra.git", "", "https://github.com", "acme/infra"},
		{"github", "git@ghe.example.com:acme/infra.git", "", "https://ghe.example.com", "acme/infra"},
		{"gitlab", "https://gitlab.com/acme/platform/eu/infra.git", "", "https://gitlab.com", "acme/platform/eu/infra"},
		{"gitlab", "git@altssh.gitlab.com:acme/infra.git", "", "https://gitlab.com", "acme/infra"},
		{"gitlab", "https://example.com/gitlab/acme/platform/infra.git", "https://example.com/gitlab", "https://example.com", "acme/platform/infra"},
	}
	for _, tt := range tests {
		if root, repository := forgeOf(tt.kind, tt.git, tt.given); root != tt.root || repository != tt.repository {
			t.Errorf("%s at %s, url %q: %q %q, want %q %q", tt.kind, tt.git, tt.given, root, repository, tt.root, tt.repository)
		}
	}
}

// in puts lines into the forge block of a repository that is otherwise right; the
// first of them is line 6.
func in(kind, lines string) string {
	return fmt.Sprintf("repository \"a\" {\n url = \"https://h.example/o/r\"\n branch = \"main\"\n forge %q {\n%s\n}\n}", kind, lines)
}

const (
	listens = "\nlisten = \":1\""
	whole   = "token = env(\"CANARY\")"
)

// Sources without their first line.
var reviewMistakes = []mistake{
	{"pages without a password", "pages {}", []string{"2: No password", "2: Nothing listens"}, `env("NAME")`},
	{"a password in the file", "listen = \":1\"\npublic_url = \"https://m.example\"\npages {\n password = \"canary-canary-canary\"\n}", []string{"5: Secret in the file"}, "******"},
	{"a short password", "listen = \":1\"\npublic_url = \"https://m.example\"\npages {\n password = env(\"SHORT\")\n}", []string{"5: Short password"}, "has 15 characters"},
	{"an empty password", "listen = \":1\"\npublic_url = \"https://m.example\"\npages {\n password = env(\"EMPTY\")\n}", []string{"5: Environment variable is empty"}, "$EMPTY"},
	{"a password with a space", "listen = \":1\"\npublic_url = \"https://m.example\"\npages {\n password = env(\"SPACE\")\n}", []string{"5: Spaces around a password"}, ""},
	{"two pages blocks", "listen = \":1\"\npublic_url = \"https://m.example\"\npages {\n password = env(\"LONG\")\n}\npages {}", []string{"7: Duplicate pages block"}, ""},
	{"pages without listen", "pages {\n password = env(\"LONG\")\n}", []string{"2: Nothing listens"}, ""},
	{"pages without public_url", "listen = \":1\"\npages {\n password = env(\"LONG\")\n}", []string{"3: No links to the pages"}, "public_url"},
	{"pages over http", "listen = \":1\"\npublic_url = \"http://m.example\"\npages {\n password = env(\"LONG\")\n}", []string{"3: The password travels unencrypted"}, "https"},
	{"pages over http on this machine", "listen = \":1\"\npublic_url = \"http://localhost:1\"\npages {\n password = env(\"LONG\")\n}", nil, ""},

	{"reviews without a forge", "repository \"a\" {\n url = \"u\"\n drafts = true\n labels = [\"x\"]\n forks = \"ask\"\n merge = \"merge\"\n review_branches = [\"review/*\"]\n}", []string{"4: Not used", "5: Not used", "6: Not used", "7: Not used"}, "no forge block"},
	{"words", in("gitea", whole) + "\nrepository \"b\" {\n url = \"u\"\n forks = \"yes\"\n merge = \"sqash\"\n drafts = \"yes\"\n labels = \"plan\"\n}", []string{"11: Unknown value", "11: Not used", "12: Unknown value", "12: Not used", "13: Wrong type", "13: Not used", "14: Wrong type", "14: Not used"}, `did you mean "squash"?`},
	{"merge after merge", "repository \"a\" {\n url = \"https://h.example/o/r\"\n merge = \"merge\"\n forge \"gitea\" {\n" + whole + "\n}\n}", []string{"4: Not used"}, "before_merge"},
	{"empty lists", "repository \"a\" {\n url = \"https://h.example/o/r\"\n labels = []\n review_branches = []\n forge \"gitea\" {\n" + whole + "\nteams = { apply = [], approve = null }\n}\n}", []string{"4: Empty list", "5: Empty list", "8: Empty list", "8: Empty list"}, "Leave it out"},
	{"labels", "repository \"a\" {\n url = \"https://h.example/o/r\"\n labels = [\"ok\", \" x\",\n  \"a\\nb\", \"\"]\n forge \"gitea\" {\n" + whole + "\n}\n}", []string{"4: Not a label", "5: Not a label", "5: Not a label"}, ""},
	{"patterns of branches", "repository \"a\" {\n url = \"u\"\n branch = \"main\"\n review_branches = [\"m*\", \"refs/heads/main\",\n \"[a\", \"a..b\",\n \"review/**\", \"\", \"a b\"]\n}", []string{"5: The branch that is followed", "6: Not a pattern", "6: Not a pattern", "7: Not a pattern", "7: Not a pattern", "7: Not a pattern"}, "but \"/\""},

	{"no token", in("gitea", ""), []string{"5: No token"}, `env("NAME")`},
	{"no token and no app", in("github", ""), []string{"5: No token"}, "or an app block"},
	{"a token in the file", in("gitea", "token = \"canary\""), []string{"6: Secret in the file"}, "******"},
	{"a misspelt secret", in("gitea", whole+"\nwebhook_secrt = \"canary\""), []string{"7: Unsupported argument"}, `"webhook_secret"`},
	{"an empty webhook secret", in("gitea", whole+"\nwebhook_secret = env(\"EMPTY\")") + listens, []string{"7: Environment variable is empty"}, "webhook_secret comes from $EMPTY"},
	{"a webhook secret of spaces", in("gitea", whole+"\nwebhook_secret = env(\"SPACES\")") + listens, []string{"7: Empty secret"}, ""},
	{"an empty webhook secret in the file", in("gitea", whole+"\nwebhook_secret = \"\"") + listens, []string{"7: Secret in the file"}, ""},
	{"no webhook secret", in("gitea", whole) + listens, []string{"5: Webhooks are off"}, "polling"},
	{"a webhook secret and nothing listens", in("gitea", whole+"\nwebhook_secret = env(\"CANARY\")"), []string{"7: Nothing listens"}, "polling"},
	{"an app of gitea", in("gitea", "app {\n id = 1\n private_key = env(\"KEY\")\n}"), []string{"6: No app"}, "Only GitHub"},
	{"an app and a token", in("github", whole+"\napp {\n id = 1\n private_key = env(\"KEY\")\n}"), []string{"7: Two identities"}, ""},
	{"two apps", in("github", "app {\n id = 1\n private_key = env(\"KEY\")\n}\napp {}"), []string{"10: Duplicate app block"}, ""},
	{"half an app", in("github", "app {\n id = 1\n}"), []string{"6: Half of an app"}, "private_key"},
	{"an app of nonsense", in("github", "app {\n id = \"x\"\n installation = 0\n private_key = env(\"CANARY\")\n}"), []string{"7: Wrong type", "8: Out of range", "9: Not a private key"}, ""},
	{"a key in the file", in("github", "app {\n id = 1\n private_key = <<X\n-----BEGIN RSA PRIVATE KEY-----\ncanary\nX\n}"), []string{"8: Secret in the file"}, ""},
	{"a forge below a path", "repository \"a\" {\n url = \"https://h.example/git/o/r\"\n forge \"gitea\" {\n" + whole + "\n}\n}", []string{"4: Where is the forge?"}, "the path below which"},
	{"a repository on disk", "repository \"a\" {\n url = \"/srv/o/r\"\n forge \"github\" {\n" + whole + "\n}\n}", []string{"4: Where is the forge?"}, ""},
	{"a repository with a forge elsewhere", "repository \"a\" {\n url = \"/srv/o/r\"\n forge \"github\" {\n url = \"https://github.com\"\n" + whole + "\n}\n}", []string{"4: Which repository of the forge?"}, "owner/name"},
	{"no repository's name", in("gitea", whole+"\nrepository = \"r\"\n") + "\n" + strings.Replace(in("gitea", whole+"\nrepository = \"o/../r\""), "\"a\"", "\"b\"", 1) + "\n" + strings.Replace(in("gitlab", whole+"\nrepository = \"o/p/r.git\""), "\"a\"", "\"c\"", 1), []string{"7: Not a repository", "16: Not a repository", "24: Not a repository"}, "without \".git\""},
	{"a forge over http", in("gitea", whole+"\nurl = \"http://h.example\""), []string{"7: The token travels unencrypted"}, "https"},
	{"a token in a forge's url", in("gitea", whole+"\nurl = \"https://bot:canary@h.example\""), []string{"7: Credentials in a URL"}, "bot:******@"},
	{"teams", in("gitea", whole+"\nteams = {\n aply = [\"o/t\"]\n apply = [\"t\"]\n approve = [\"@o/t\", \"o/t/u\"]\n}"), []string{"8: Unknown value", "9: Not a team", "10: Not a team", "10: Not a team"}, `did you mean "apply"?`},
	{"teams of no shape", in("gitea", whole+"\nteams = [\"o/t\"]"), []string{"7: Wrong type"}, "an object of lists"},
	{"teams twice", in("gitea", whole+"\nteams = { apply = [\"o/t\"], \"apply\" = [\"o/u\"] }"), []string{"7: Duplicate key"}, ""},
	{"teams of a secret", in("gitea", whole+"\nteams = { apply = env(\"CANARY\"), (env(\"CANARY\")) = [] }"), []string{"7: Not a secret", "7: Unknown value"}, ""},
	{"before_merge with a forge", "repository \"a\" {\n url = \"https://h.example/o/r\"\n apply = \"before_merge\"\n merge = \"rebase\"\n forge \"gitea\" {\n" + whole + "\n}\n}", nil, ""},
}

func TestMistakesOfReviewsAreSaid(t *testing.T) {
	all := append([]mistake{}, reviewMistakes...)
	checkMistakes(t, vars(map[string]string{
		"CANARY": "canary", "EMPTY": "", "SPACES": "  ", "SHORT": "canary-canary-1", "SPACE": "canary-canary-canary ", "LONG": "canary-canary-canary", "KEY": privateKey,
	}), all)
}
