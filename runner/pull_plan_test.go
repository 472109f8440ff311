package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/mooring-iac/mooring/e2e/githttp"
)

// layered is a repository in which c reads what b makes, which reads what a does.
func layered() map[string]string {
	return map[string]string{
		"mooring.hcl": `
workspace "a" { dir = "a" }
workspace "b" {
  dir    = "b"
  variables = { up = workspace.a.outputs.name }
}
workspace "c" {
  dir    = "c"
  variables = { up = workspace.b.outputs.out }
}
workspace "far" { dir = "far" }
workspace "reader" { dir = "reader" }
manifests "apps" {
  path   = "k8s/apps"
  values = { id = workspace.b.outputs.out }
}
`,
		"a/main.tf": `
resource "terraform_data" "this" { input = "one" }
output "name" { value = "one" }
`,
		"b/main.tf":   "variable \"up\" {}\n" + module("var.up"),
		"c/main.tf":   "variable \"up\" {}\n" + module("var.up"),
		"far/main.tf": module(`"far"`),
		"reader/main.tf": `
data "terraform_remote_state" "a" {
  backend = "local"
  config  = { path = "../a/terraform.tfstate" }
}
` + module("data.terraform_remote_state.a.outputs.name"),
		"k8s/apps/map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: layered\n  namespace: default\ndata:\n  id: ${id}\n",
	}
}

func TestAPullRequestIsPlannedAsFarAsAnybodyCanKnow(t *testing.T) {
	files := layered()
	cluster, live := withCluster(t)
	f := newReviewFixture(t, files, cluster)
	f.took("a applied, b applied, apps applied, c applied, far applied, reader applied")

	pull := f.propose("topic", map[string]string{"a/main.tf": strings.ReplaceAll(files["a/main.tf"], "one", "two")})
	f.sync()
	report, head := f.said(pull), pull.State().Head
	says(t, report, "`a`", "`b`", "`c`", "`reader`", `"one" -> "two"`, "deferred", "it reads the state of a", "known only after apply")
	silent(t, report, "`far`")
	says(t, report, "+  id: (known after apply)", "-  id: one")
	run := f.planOf(pull)
	if got := summary([]Run{run}); got != "a planned, b planned, apps planned, c deferred, reader deferred" {
		t.Errorf("the plan is %s", got)
	}
	f.status(head, planStatus, "success", "2 deferred")
	pull.Approve(f.reviewer)
	f.sync()
	pull.Merge(f.author, "merge")
	f.took("a applied, b applied, apps applied, c applied, reader applied")
	f.sync()
	if got := value(t, live, "layered", "id"); got != "two" {
		t.Errorf("the cluster has %s", got)
	}
	for unit, want := range map[string]string{"b": "two", "c": "two", "reader": "two"} {
		if got := f.state(unit).Outputs["out"].Value; got != want {
			t.Errorf("%s has %v, want %s", unit, got, want)
		}
	}
	report = f.said(pull)
	says(t, report, "Applied")
	silent(t, report, "deferred")
	if n := strings.Count(report, `"one" -> "two"`); n < 4 {
		t.Errorf("the plans of what was deferred are not shown: %d inputs in\n%s", n, report)
	}
	f.status(head, applyStatus, "success")
	f.settled(head)

	// Where the gate wants a person for what was deferred, it waits, and is shown.
	pull = f.propose("again", map[string]string{
		"a/main.tf": strings.ReplaceAll(files["a/main.tf"], "one", "three"),
		"c/main.tf": "variable \"up\" {}\n" + replacing("var.up"),
	})
	f.sync()
	pull.Approve(f.reviewer)
	f.sync()
	pull.Merge(f.author, "squash")
	f.took("a applied, b applied, apps applied, c held, reader applied")
	report = f.said(pull)
	says(t, report, "`c`", "held", "must be replaced", `"three"`, "mooring approve")
	f.status(pull.State().Head, applyStatus, "failure", "held")
	pull.Comment(f.reviewer, "mooring approve a")
	f.sync()
	says(t, strings.Join(f.answers(pull), "\n"), "nothing waits for a decision")
	pull.Comment(f.reviewer, "mooring approve c")
	f.sync()
	f.sync()
	f.status(pull.State().Head, applyStatus, "success")
	f.settled(pull.State().Head)
}

func TestWhatAPullRequestPrunesIsShownAndAgreedTo(t *testing.T) {
	cluster, live := withCluster(t)
	files := map[string]string{"mooring.hcl": sets("rv-a", "rv-b", "rv-c")}
	for _, set := range []string{"rv-a", "rv-b", "rv-c"} {
		files[set+"/stays.yaml"] = configMapText(set+"-stays", "1")
		var many []string
		for i := range 12 {
			many = append(many, configMapText(fmt.Sprintf("%s-goes-%02d", set, i), "1"))
		}
		files[set+"/goes.yaml"] = strings.Join(many, "---\n")
	}
	f := newReviewFixture(t, files, cluster)
	f.took("rv-a applied, rv-b applied, rv-c applied")
	pulls := map[string]*pullOf{}
	for _, set := range []string{"rv-a", "rv-b", "rv-c"} {
		change := githttp.Change{Remove: []string{set + "/goes.yaml"}, Write: map[string]string{set + "/stays.yaml": configMapText(set+"-stays", "2")}}
		if set == "rv-c" {
			change.Remove = nil
		}
		f.repo.PushChange(f.author, set, "Change "+set, change)
		p := f.repo.Open(f.author, set, "main", "Change "+set)
		pulls[set] = &pullOf{p, p.State().Head}
	}
	f.sync()
	for _, set := range []string{"rv-a", "rv-b"} {
		says(t, f.said(pulls[set].Pull), set+"-goes-11", "pruned", `+  value: "2"`)
		f.status(pulls[set].head, policyStatus, "success", "needs a person's yes", "prunes 12")
	}
	pulls["rv-a"].Approve(f.reviewer)
	f.sync()
	for _, set := range []string{"rv-a", "rv-b", "rv-c"} {
		pulls[set].Merge(f.author, "merge")
	}
	f.took("rv-a applied, rv-b held, rv-c applied")
	f.status(pulls["rv-a"].head, applyStatus, "success")
	f.status(pulls["rv-b"].head, applyStatus, "failure", "held")
	if gone := value(t, live, "rv-a-goes-00", "value"); gone != "" {
		t.Error("what was agreed to was not pruned")
	}
	if here := value(t, live, "rv-b-goes-00", "value"); here == "" {
		t.Error("what nobody agreed to was pruned")
	}
	pulls["rv-b"].Comment(f.reviewer, "mooring approve")
	f.sync()
	f.sync()
	f.status(pulls["rv-b"].head, applyStatus, "success")
	f.settled(pulls["rv-a"].head, pulls["rv-b"].head, pulls["rv-c"].head)
}

// value is what a config map of the cluster has; "" where there is none.
func value(t *testing.T, c dynamic.ResourceInterface, name, key string) string {
	t.Helper()
	o, err := c.Get(t.Context(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	got, _, _ := unstructured.NestedString(o.Object, "data", key)
	return got
}

func TestTheBranchMovesBeneathAPullRequest(t *testing.T) {
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`), "app/note.txt": "one\n", "other/main.tf": module(`"one"`), "third/main.tf": module(`"one"`)})
	f.took("app applied, other applied, third applied")
	pull := f.propose("topic", map[string]string{"app/main.tf": module(`"two"`)})
	head := pull.State().Head
	f.sync()
	first := f.planOf(pull).ID

	f.repo.Push(f.owner, "main", "Elsewhere", map[string]string{"other/main.tf": module(`"two"`)})
	f.sync()
	if got := f.planOf(pull).ID; got != first {
		t.Errorf("the branch moved in what the pull request leaves alone, and it was planned again (%s, %s)", first, got)
	}
	f.repo.Push(f.owner, "main", "Beside it", map[string]string{"app/note.txt": "two\n"})
	f.sync()
	second := f.planOf(pull)
	if second.ID == first || second.Base != f.repo.Head("main") {
		t.Errorf("the branch moved in what the pull request changes, and its plan is still %s of %s", second.ID, short(second.Base))
	}
	f.repo.Push(f.owner, "main", "The same file", map[string]string{"app/main.tf": module(`"three"`)})
	f.sync()
	says(t, f.said(pull), "app/main.tf", "pdate the branch")
	f.status(head, planStatus, "failure")
	f.settled(head)

	updated := f.repo.PushChange(f.author, "topic", "Merge main", githttp.Change{Write: map[string]string{"app/main.tf": module(`"three"`), "app/note.txt": "two\n", "other/main.tf": module(`"two"`)}})
	pull.AwaitHead(updated)
	f.sync()
	silent(t, f.said(pull), "pdate the branch")
	f.status(updated, planStatus, "success")
	f.settled(head, updated)
}

func TestWhatTheBranchSaysOfItselfRulesThePlan(t *testing.T) {
	trace := filepath.Join(t.TempDir(), "trace")
	config := "workspace \"app\" {\n  dir        = \"app\"\n  auto_apply = \"never\"\n}\n"
	f := newReviewFixture(t, map[string]string{"mooring.hcl": config, "app/main.tf": module(`"one"`)})
	first := f.took("app held")
	f.approve(first[0].ID)
	f.took("app applied")

	pull := f.propose("loose", map[string]string{
		"mooring.hcl":    strings.Replace(config, "never", "always", 1) + "workspace \"other\" {\n  dir = \"app\"\n  workspace = \"other\"\n}\n",
		"app/main.tf":    module(`"two"`),
		"new/main.tf":    module(`"new"`),
		"new/.gitignore": trace + "\n",
	})
	f.sync()
	report, head := f.said(pull), pull.State().Head
	says(t, report, "it changes `mooring.hcl`", "`new`")
	if got := summary([]Run{f.planOf(pull)}); got != "app planned, new planned" {
		t.Errorf("the plan is %s: the pull request made its own rules", got)
	}
	f.status(head, policyStatus, "success", "needs a person's yes: app")
	f.settled(head)

	// A mooring.hcl that cannot be read breaks nothing before the merge.
	broken := f.propose("broken", map[string]string{"mooring.hcl": "workspace {", "app/main.tf": module(`"three"`)})
	f.sync()
	says(t, f.said(broken), "it changes `mooring.hcl`")
	f.settled(broken.State().Head)
}

func TestDraftsLabelsAndForksRunWhenSomebodySaysSo(t *testing.T) {
	trace := filepath.Join(t.TempDir(), "trace")
	evil := func(value string) string {
		return module(`"`+value+`"`) + fmt.Sprintf("\nresource \"terraform_data\" \"evil\" {\n  provisioner \"local-exec\" { command = \"echo ran >> %s\" }\n}\n", trace)
	}
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`), "other/main.tf": module(`"one"`)}, func(o *Options) {
		o.Repositories[0].Review.Labels = []string{"infra"}
	})
	f.took("app applied, other applied")
	f.repo.Push(f.author, "draft", "Draft", map[string]string{"other/main.tf": module(`"two"`)})
	draft := f.repo.Open(f.author, "draft", "main", "WIP: draft")
	f.sync()
	head := draft.State().Head
	if got := draft.Comments(); len(got) != 0 {
		t.Errorf("somebody spoke in a draft: %+v", got)
	}
	f.status(head, planStatus, "")
	draft.Retitle(f.author, "Ready")
	f.sync()
	f.status(head, planStatus, "") // it has no label yet
	draft.Label(f.owner, "infra")
	f.sync()
	f.status(head, planStatus, "success", "1 to change")
	draft.Retitle(f.author, "WIP: not yet")
	f.sync()
	f.settled(head)
	draft.Retitle(f.author, "Ready again")
	f.sync()
	f.status(head, planStatus, "success", "1 to change")
	f.said(draft)

	// A stranger's fork.
	eve := f.server.User("eve")
	f.repo.Collaborator(eve, "read")
	fork := f.repo.Fork(eve)
	one := fork.Push(eve, "topic", "Improve", map[string]string{"app/main.tf": evil("two")})
	pull := f.repo.Open(eve, fork.HeadRef("topic"), "main", "Improve")
	pull.Label(f.owner, "infra")
	f.sync()
	says(t, f.said(pull), "comes from a fork", "mooring plan")
	f.status(one, planStatus, "pending")
	pull.Comment(eve, "mooring plan")
	f.sync()
	says(t, strings.Join(f.answers(pull), "\n"), "needs write access")
	f.status(one, planStatus, "pending")
	pull.Comment(f.reviewer, "mooring plan")
	f.sync()
	f.status(one, planStatus, "success", "1 to add", "1 to change")
	two := fork.Push(eve, "topic", "Improve more", map[string]string{"app/main.tf": evil("three")})
	pull.AwaitHead(two)
	f.sync()
	says(t, f.said(pull), "comes from a fork", "this head alone")
	f.status(two, planStatus, "pending")
	if got := f.planOfHead(two); got != "" {
		t.Errorf("%s is of a head that nobody let run", got)
	}
	pull.Close(f.owner)
	f.sync()
	f.settled(one, two)
	f.status(two, planStatus, "error")
	if _, err := os.Stat(trace); err == nil {
		t.Error("a script of a fork ran")
	}
}

// planOfHead names the run that was made of a commit; "" is none.
func (f *fixture) planOfHead(commit string) string {
	f.t.Helper()
	runs, err := f.r.Runs(RunsQuery{})
	if err != nil {
		f.t.Fatal(err)
	}
	for _, run := range runs {
		if run.Commit == commit {
			return run.ID
		}
	}
	return ""
}
