package serverconfig

import (
	"strings"
	"testing"
)

func TestEnvironmentsOfPlanAndApply(t *testing.T) {
	env := vars(map[string]string{"CANARY": "canary", "OTHER": "canary", "ZERO": "can\x00ary"})
	checkMistakes(t, env, []mistake{
		{"a value written out", `apply_env = { REGION = "eu-1" }`, nil, ""},
		{"a list", `plan_env = ["AWS_*", "REGION"]`, nil, ""},
		{"empty", "plan_env = {}\napply_env = []", nil, ""},
		{"not a name", `plan_env = { "A-B" = "canary" }`, []string{"2: Not a variable's name"}, "AWS_ACCESS_KEY_ID"},
		{"a pattern with a value", `plan_env = { "AWS_*" = "canary" }`, []string{"2: Not a variable's name"}, ""},
		{"a key to evaluate", `plan_env = { (env("CANARY")) = "canary" }`, []string{"2: Not a variable's name"}, ""},
		{"twice", "plan_env = {\n A = \"canary\"\n A = env(\"CANARY\")\n}", []string{"4: Duplicate variable"}, "server.hcl:3"},
		{"two at once", "plan_env = {\n A = env(\"NONE\")\n B = upper(env(\"CANARY\"))\n}", []string{"3: Environment variable is not set", "4: Wrong value"}, "plan_env A comes from $NONE"},
		{"a number", `apply_env = { A = 5 }`, []string{"2: Wrong value"}, `env("NAME")`},
		{"around a secret", `apply_env = { A = "x-${env("CANARY")}" }`, []string{"2: Wrong value"}, ""},
		{"a zero byte", `apply_env = { A = env("ZERO") }`, []string{"2: Not text"}, ""},
		{"no such file", `apply_env = { A = file("none") }`, []string{"2: Cannot read a secret"}, "no such file"},
		{"a string", `plan_env = "AWS_*"`, []string{"2: Wrong type"}, "list of strings"},
		{"env has no values", `env = { A = "canary", "B" : "canary" }`, []string{"2: Wrong type"}, "list of strings"},
		{"a for expression", `plan_env = { for x in ["canary"] : x => x }`, []string{"2: Wrong type"}, ""},
		{"owned, with a value", "plan_env = {\n TF_VAR_x = \"canary\"\n}", []string{"3: Mooring sets this variable"}, "TF_VAR_x"},
		{"owned, in every list", "env = [\"HOME\"]\ninit_env = [\"TF_CLI_ARGS_init\"]\nplan_env = [\"TF_VAR_*\"]\napply_env = [\n \"A\",\n \"TF_LOG*\",\n]", []string{"2: Mooring sets this variable", "3: Mooring sets this variable", "4: Mooring sets this variable", "7: Mooring sets this variable"}, "plan that a person reads"},
		{"owned, in a repository", "repository \"a\" {\n url = \"u\"\n apply_env = { TF_WORKSPACE = \"canary\" }\n}", []string{"4: Mooring sets this variable"}, "apply_env cannot hold TF_WORKSPACE"},
		{"plans see it by env", "env = [\"AWS_*\"]\napply_env = [\"AWS_SECRET_ACCESS_KEY\", \"B\"]", []string{"3: Plans see this variable too"}, `("AWS_*")`},
		{"plans see it by plan_env", "plan_env = [\"AWS_*\"]\napply_env = [\"AWS_S*\"]", []string{"3: Plans see this variable too"}, "plan_env passes AWS_S* on"},
		{"plans see its source", "env = [\"CANARY\"]\napply_env = { A = env(\"CANARY\"), CANARY = env(\"OTHER\") }", []string{"3: Plans see this variable too"}, ""},
		{"plans see it by a repository", "apply_env = [\"KEY\"]\nrepository \"a\" {\n url = \"u\"\n env = [\"K*\"]\n}", []string{"2: Plans see this variable too"}, ""},
		{"plans see a repository's by the server's", "env = [\"K*\"]\nrepository \"a\" {\n url = \"u\"\n apply_env = [\"KEY\"]\n}", []string{"5: Plans see this variable too"}, ""},
		{"a wider name is no leak", "env = [\"AWS_REGION\"]\napply_env = [\"AWS_*\"]", nil, ""},
	})
}

// Each source holds "canary" where a value is, and "shown" where a name is.
func TestMaskHidesValuesAndShowsNames(t *testing.T) {
	for _, src := range []string{
		`plan_env = { shown = "canary" }`,
		`plan_env = { shown : "canary", "shown" = "canary" }`,
		"apply_env = {\n  shown = \"canary\" # canary\n  url = \"canary\"\n  shown = \"canary\"\n}\ndata_dir = \"shown\"",
		"apply_env = {\n  shown = env(\"shown\")\n  shown = env(\"shown\") + \"canary\"\n}",
		"apply_env = {\n  shown = <<X\ncanary = canary\nX\n  shown = \"canary\"\n}",
		"apply_env = {\n  shown = { url = \"canary\", x = [\n\"canary\", \"canary\"] }\n}",
		"apply_env = {\n  shown = \"canary\n  url = \"canary, url = canary\"\n}",
		"apply_env = {\n  shown = \"canary\"\n  path = \"canary\"\n", // nobody closed it
		`plan_env = "canary"`,
		`plan_env = canary`,
		`plan_env = [{ url = "canary" }]`,
		`plan_env = ["shown", "shown"]`,
		"plan_env = [\n\"shown\", # shown\n\"shown\",\n]\nurl = \"shown\"",
		`env = { url = "canary" }`,
		"tokn = [\n\"canary\",\n]\nurl = \"shown\"",
		"token = env(\"shown\") # canary\nurl = \"shown\"",
		"plan_evn = {\n  url = \"canary\"\n}\nurl = \"shown\"",
	} {
		masked := string(Mask([]byte(src)))
		if strings.Contains(masked, "canary") {
			t.Errorf("a value is shown:\n%s", masked)
		}
		if want, got := strings.Count(src, "shown"), strings.Count(masked, "shown"); got != want {
			t.Errorf("%d of %d names are shown:\n%s", got, want, masked)
		}
	}
}
