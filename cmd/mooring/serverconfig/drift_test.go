package serverconfig

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDriftAndCredentialsAreRead(t *testing.T) {
	got, files, diags := Parse("server.hcl", []byte(`data_dir = "d"
drift {
  parallel = 8
  stale    = "2d"
}
credentials "aws-prod" {
  repositories = ["infra"]
  units        = ["prod/**", "shared:prod"]
  parallel     = 3
}
credentials "rest" {}
repository "infra" {
  url = "/srv/infra"
  drift {
    every     = "12h"
    remediate = "apply"
    parallel  = 4
  }
}
repository "lab" {
  url = "/srv/lab"
  drift { every = "1d" }
}
repository "none" {
  url = "/srv/none"
}
`), noEnv)
	if len(diags) > 0 {
		t.Fatal(printed(t, files, diags))
	}
	if diff := cmp.Diff(Drift{Parallel: 8, Stale: 48 * time.Hour}, got.Drift); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Credentials{
		{Name: "aws-prod", Repositories: []string{"infra"}, Units: []string{"prod/**", "shared:prod"}, Parallel: 3},
		{Name: "rest", Parallel: 1},
	}, got.Credentials); diff != "" {
		t.Error(diff)
	}
	for i, want := range []RepositoryDrift{
		{Every: 12 * time.Hour, Remediate: "apply", Parallel: 4},
		{Every: 24 * time.Hour, Remediate: "pull_request"},
		{Remediate: "pull_request"}, // never apply unless it is said
	} {
		if diff := cmp.Diff(want, got.Repositories[i].Drift); diff != "" {
			t.Errorf("%s: %s", got.Repositories[i].Name, diff)
		}
	}
}

func TestDriftMistakes(t *testing.T) {
	in := func(s string) string { return "repository \"a\" {\n url = \"/srv/a\"\n drift {\n  " + s + "\n }\n}" }
	group := func(s string) string {
		return "credentials \"g\" {\n " + s + "\n}\nrepository \"a\" {\n url = \"/srv/a\"\n}"
	}
	checkMistakes(t, noEnv, []mistake{
		{"empty blocks", "drift {}\n" + in(""), nil, ""},
		{"twice", "drift {}\ndrift {}", []string{"3: Duplicate drift block"}, "server.hcl:2"},
		{"twice in a repository", in("}\n drift {"), []string{"6: Duplicate drift block"}, "server.hcl:4"},
		{"no scan at once", "drift {\n parallel = 0\n}", []string{"3: Out of range"}, "from 1 to 1024"},
		{"stale", "drift {\n stale = \"2xevery\"\n}", []string{"3: Not a duration"}, ""},
		{"a setting that is not there", "drift {\n paralel = 1\n}", []string{"3: Unsupported argument"}, `Did you mean "parallel"?`},
		{"a period", in(`every = "often"`), []string{"5: Not a duration"}, ""},
		{"0 days", in(`every = "0d"`), []string{"5: Too short"}, ""},
		{"a short period", in(`every = "1ms"`), []string{"5: Too short"}, "at least 1s"},
		{"a long period", in(`every = "400d"`), []string{"5: Too long"}, "at most a year"},
		{"remediate", in(`remediate = "aply"`), []string{"5: Unknown value"}, `did you mean "apply"?`},
		{"an issue without a forge", in(`remediate = "issue"`), []string{"5: Not used"}, "no forge block"},
		{"an apply of what applies nothing", "repository \"a\" {\n url = \"/srv/a\"\n apply = \"never\"\n drift {\n  remediate = \"apply\"\n }\n}", []string{"6: Not used"}, "applies nothing"},
		{"a repository that is not there", group(`repositories = ["b"]`), []string{"3: Unknown value"}, ""},
		{"no unit", group(`units = []`), []string{"3: Empty list"}, ""},
		{"no pattern", group(`units = ["/prod"]`), []string{"3: Not a pattern"}, `"/prod"`},
		{"no place in a group", group(`parallel = 0`), []string{"3: Out of range"}, ""},
		{"a group twice", "credentials \"g\" {}\ncredentials \"g\" {}", []string{"3: Duplicate credentials"}, ""},
	})
}
