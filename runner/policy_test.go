package runner

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/gitea"
	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/policies/preflight"
)

// looksFirst lets nothing run that a pull request adds before somebody has looked at it.
func looksFirst(o *Options) { o.Repositories[0].Policies.Preflight.Mode = preflight.Asks }

func TestWhatAPullRequestAddsRunsOnlyAfterSomebodyElsesYes(t *testing.T) {
	trace := filepath.Join(t.TempDir(), "trace")
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`), "lib/main.tf": module(`"one"`)}, looksFirst)
	f.expect("app applied, lib applied")
	run := `resource "terraform_data" "more" {
  provisioner "local-exec" { command = "echo ran >> ` + trace + `" }
}
`
	pull := f.propose("topic", map[string]string{"app/main.tf": module(`"two"`) + run, "lib/main.tf": module(`"two"`)})
	f.sync()
	if got := summary([]Run{f.planOf(pull)}); got != "app held, lib planned" {
		t.Fatalf("the plan is %s:\n%s", got, detail([]Run{f.planOf(pull)}))
	}
	says(t, f.said(pull), "preflight.provisioner", "app/main.tf:", "mooring approve")
	head := pull.State().Head
	f.status(head, planStatus, "failure")
	f.noTerraform("app")
	if !f.startedIn(f.planOf(pull), "lib") {
		t.Fatal("nothing is known of what was started")
	}

	pull.Comment(f.author, "mooring approve")
	f.sync()
	says(t, strings.Join(f.answers(pull), "\n"), "author's own yes does not count")
	if _, err := f.r.Approve(t.Context(), Decision{Run: f.planOf(pull).ID, By: f.author.Login}); !errors.Is(err, errOwn) {
		t.Errorf("the author's own yes at the server: %v", err)
	}
	f.noTerraform("app")

	pull.Comment(f.reviewer, "mooring approve")
	f.sync()
	f.sync()
	says(t, f.said(pull), f.reviewer.Login, "let it run")
	f.status(head, planStatus, "success")

	// The yes was to that head.
	second := f.repo.Push(f.author, "topic", "Another one", map[string]string{"app/main.tf": module(`"three"`) + strings.ReplaceAll(run, "more", "other") + run})
	pull.AwaitHead(second)
	f.sync()
	if got := summary([]Run{f.planOf(pull)}); !strings.HasPrefix(got, "app held") {
		t.Errorf("another head is planned after a yes to the one before: %s", got)
	}
	if ran, err := os.ReadFile(trace); err == nil {
		t.Errorf("it ran: %s", ran)
	}
}

// noTerraform tells that Terraform was started for no run of a pull request in a unit: what
// it says is kept by run and unit from its first command on.
func (f *reviewFixture) noTerraform(unit string) {
	f.t.Helper()
	for _, run := range f.runs() {
		if run.Trigger == OnPullRequest && f.startedIn(run, unit) {
			f.t.Errorf("Terraform was started for %s in %s", unit, run.ID)
		}
	}
}

func (f *reviewFixture) startedIn(run Run, unit string) bool {
	f.t.Helper()
	started := false
	err := filepath.WalkDir(filepath.Join(f.opts.DataDir, "runs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(path, run.ID) && strings.Contains(d.Name(), unit) {
			started = true
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // nothing was started in any run
		f.t.Fatal(err)
	}
	return started
}

func (f *reviewFixture) runs() []Run {
	f.t.Helper()
	all, err := f.r.Runs(RunsQuery{Limit: 100})
	if err != nil {
		f.t.Fatal(err)
	}
	return all
}

const noTwo = `package main
import rego.v1
deny contains msg if {
	some change in input.resource_changes
	change.change.after.input == "two"
	msg := sprintf("%s must not be two", [change.address])
}
`

func TestWhatPoliciesDenyIsNotAppliedWhoeverSaysYes(t *testing.T) {
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`), "policy/two.rego": noTwo})
	f.expect("app applied")
	// The head takes the rule away for itself, which does not count: the branch's holds.
	f.repo.PushChange(f.author, "topic", "Two", githttp.Change{Write: map[string]string{"app/main.tf": module(`"two"`)}, Remove: []string{"policy/two.rego"}})
	pull := f.repo.Open(f.author, "topic", gitea.Branch, "Two")
	f.sync()
	says(t, f.said(pull), "denied", "must not be two")
	f.status(pull.State().Head, policyStatus, "failure", "denied: app")
	pull.Approve(f.reviewer)
	f.sync()
	f.status(pull.State().Head, policyStatus, "failure", "denied: app")

	// Another one leaves the rule where it is and is merged all the same.
	direct := f.repo.Push(f.author, gitea.Branch, "Two, directly", map[string]string{"app/main.tf": module(`"two"`)})
	if got := summary(f.sync()); !strings.HasPrefix(got, "app failed") {
		t.Fatalf("after a push of %s that the rules deny: %s", short(direct), got)
	}
	if got := f.state("app").Outputs["out"].Value; got != "one" {
		t.Errorf("it was applied: %v", got)
	}
	f.repo.Push(f.author, gitea.Branch, "Three", map[string]string{"app/main.tf": module(`"three"`)})
	f.expect("app applied")
}

const asksDBA = `package main
import rego.v1
ask contains {"msg": "a change of data", "needs": needs("team:dba", 1)} if {
	some change in input.resource_changes
	change.change.actions != ["no-op"]
}
`

func TestARuleMayAskForPeople(t *testing.T) {
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`)}, func(o *Options) { o.Teams = map[string][]string{"dba": {"barbara"}} })
	f.expect("app applied")
	dba := f.server.User("barbara")
	f.repo.Collaborator(dba, "write")
	f.opts.Teams["dba"] = []string{dba.Login}
	f.reopen()
	f.repo.Push(f.author, gitea.Branch, "Rules", map[string]string{"policy/ask.rego": asksDBA})
	f.sync()

	pull := f.propose("topic", map[string]string{"app/main.tf": module(`"two"`)})
	f.sync()
	head := pull.State().Head
	says(t, f.said(pull), "needs `team:dba`", "a change of data")
	f.status(head, policyStatus, "failure", "team:dba")
	pull.Approve(f.reviewer) // who is not one
	f.sync()
	f.status(head, policyStatus, "failure", "team:dba")
	pull.Comment(dba, "mooring approve")
	f.sync()
	f.sync()
	f.status(head, policyStatus, "success")
	pull.Merge(f.author, "merge")
	runs := f.sync()
	if got := summary(runs); got != "app applied" {
		t.Fatalf("after the yes of a member: %s\n%s", got, detail(runs))
	}
	if p := runs[0].Units[0].Policy; p == nil || len(p.Needs) > 0 || len(p.Approvals) == 0 || !strings.Contains(p.Approvals[len(p.Approvals)-1].By+p.Approvals[0].By, dba.Login) {
		t.Errorf("who approved is not in the run: %+v", p)
	}
	for _, a := range runs[0].Units[0].Policy.Approvals {
		if age := time.Since(a.At); age < -time.Minute || age > 10*time.Minute {
			t.Errorf("%s said yes at %s", a.By, a.At)
		}
	}

	// Merged without it, the yes is asked for afterwards, and only theirs counts.
	pull = f.propose("later", map[string]string{"app/main.tf": module(`"three"`)})
	f.sync()
	pull.Approve(f.reviewer)
	f.sync()
	pull.Merge(f.author, "merge")
	if got := summary(f.sync()); got != "app held" {
		t.Fatalf("after a merge without their yes: %s", got)
	}
	pull.Comment(f.reviewer, "mooring approve")
	f.sync()
	says(t, strings.Join(f.answers(pull), "\n"), "still needs that of `team:dba`")
	if got := f.state("app").Outputs["out"].Value; got != "two" {
		t.Fatalf("it was applied: %v", got)
	}
	pull.Comment(dba, "mooring approve")
	f.sync()
	f.sync()
	if got := f.state("app").Outputs["out"].Value; got != "three" {
		t.Errorf("their yes was not taken: %v\n%s", got, strings.Join(f.answers(pull), "\n---\n"))
	}
}

// A yes is one by the rules that held when it was said.
func TestAYesGoesStaleWithTheRules(t *testing.T) {
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`), "policy/ask.rego": strings.ReplaceAll(asksDBA, "team:dba", "anyone")})
	f.expect("app held")
	held := f.runs()[0]
	if _, err := f.r.Approve(t.Context(), Decision{Run: held.ID, By: "ada"}); !errors.Is(err, errOwn) {
		t.Errorf("the yes of ada to what %s wrote: %v", held.Author, err)
	}
	if _, err := f.r.Approve(t.Context(), Decision{Run: held.ID, By: "grace"}); err != nil {
		t.Fatal(err)
	}
	f.expect("app applied")
	pull := f.propose("topic", map[string]string{"app/main.tf": module(`"two"`)})
	f.sync()
	pull.Approve(f.reviewer)
	f.sync()
	f.sync()
	f.status(pull.State().Head, policyStatus, "success")
	f.repo.Push(f.owner, gitea.Branch, "Stricter", map[string]string{"policy/ask.rego": strings.ReplaceAll(asksDBA, "a change of data", "a change of data, now")})
	pull.Merge(f.author, "merge")
	if got := summary(f.sync()); got != "app held" {
		t.Errorf("after the rules moved: %s", got)
	}
}

// A pull request that nobody touches shows what the rules of now say, wherever they changed.
func TestAnOpenPullRequestIsJudgedAnewWhenTheRulesChange(t *testing.T) {
	dir := t.TempDir()
	write := func(words string) {
		t.Helper()
		rule := strings.ReplaceAll(strings.ReplaceAll(asksDBA, "team:dba", "anyone"), "a change of data", words)
		if err := os.WriteFile(filepath.Join(dir, "ask.rego"), []byte(rule), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("the server asks")
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`)}, func(o *Options) {
		o.Policies = []PolicyConfig{{Name: "house", Dir: dir}}
	})
	if _, err := f.r.Approve(t.Context(), Decision{Run: f.took("app held")[0].ID, By: "grace"}); err != nil {
		t.Fatal(err)
	}
	f.took("app applied")
	pull := f.propose("topic", map[string]string{"app/main.tf": module(`"two"`)})
	f.sync()
	pull.Approve(f.reviewer)
	f.sync()
	f.sync()
	head := pull.State().Head
	f.status(head, policyStatus, "success")
	plan := f.planOf(pull).ID
	f.sync()
	if again := f.planOf(pull).ID; again != plan {
		t.Errorf("planned again as %s, and no rule has changed", again)
	}

	write("the server asks once more")
	f.sync()
	says(t, f.said(pull), "the server asks once more")
	f.status(head, policyStatus, "failure", "anyone") // the yes was one by other rules
	pull.Approve(f.reviewer)
	f.sync()
	f.status(head, policyStatus, "success")

	f.repo.Push(f.owner, gitea.Branch, "A rule of the branch", map[string]string{"policy/two.rego": noTwo})
	f.sync()
	says(t, f.said(pull), "must not be two")
	f.status(head, policyStatus, "failure", "denied: app")
	f.settled(head)
}

// Who said yes to a plan that has gone since is asked again, and counts again; and nobody is
// two people.
func TestAYesCountsOnceForEachPlan(t *testing.T) {
	two := strings.ReplaceAll(strings.ReplaceAll(asksDBA, "team:dba", "anyone"), ", 1)", ", 2)")
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`), "policy/ask.rego": two})
	run := f.sync()[0].ID
	say := func(who string, missing int) {
		t.Helper()
		got, err := f.r.Approve(t.Context(), Decision{Run: run, By: who})
		if err != nil {
			t.Fatal(err)
		}
		left := 0
		for _, n := range got.Units[0].Policy.Needs {
			left += n.Count
		}
		if left != missing {
			t.Errorf("after the yes of %s %d are missing, want %d", who, left, missing)
		}
	}
	say("grace", 1)
	say("Grace", 1) // the same person
	f.repo.Push(f.owner, gitea.Branch, "Other words", map[string]string{"policy/ask.rego": strings.ReplaceAll(two, "a change", "one more change"), "app/main.tf": module(`"two"`)})
	run = f.sync()[0].ID
	say("grace", 1)
	say("barbara", 0)
	f.expect("app applied")
}

// Rules that cannot be read let nothing pass.
func TestABrokenPolicyLetsNothingPass(t *testing.T) {
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`), "policy/broken.rego": "package main\ndeny contains msg if {"})
	runs := f.sync()
	if got := summary(runs); got != "app failed" {
		t.Fatalf("with a broken policy: %s", got)
	}
	says(t, runs[0].Units[0].Error, "broken.rego:2")
}

// A directory called policy may hold something else.
func TestADirectoryWithoutRulesIsNoPolicy(t *testing.T) {
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`), "policy/bucket.json": `["no", "object"]`})
	f.expect("app applied")
}

// Where rules are required, none is not enough.
func TestRequiredRulesThatAreNotThereLetNothingPass(t *testing.T) {
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`)}, func(o *Options) { o.Repositories[0].Policies.Required = true })
	runs := f.sync()
	if got := summary(runs); got != "app failed" {
		t.Fatalf("without the rules that are required: %s", got)
	}
	says(t, runs[0].Units[0].Error, "policies deny it")
}

// The pack is asked where the operator has switched it on.
func TestThePackIsAsked(t *testing.T) {
	cluster, _ := withCluster(t)
	f := newReviewFixture(t, map[string]string{"mooring.hcl": sets("judged"), "judged/role.yaml": wildRole}, cluster, func(o *Options) {
		o.Pack = PackConfig{Enabled: true, Settings: map[string]map[string]any{"kubernetes.rbac_wildcard": {"effect": "deny"}}}
	})
	runs := f.sync()
	if got := summary(runs); got != "judged failed" {
		t.Fatalf("a role that may do everything: %s\n%s", got, detail(runs))
	}
	says(t, runs[0].Units[0].Error, "kubernetes.rbac_wildcard")
	f.repo.Push(f.author, gitea.Branch, "Less", map[string]string{"judged/role.yaml": strings.ReplaceAll(wildRole, `"*"`, `get`)})
	f.expect("judged applied")
}

const wildRole = `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: judged, namespace: default}
rules:
  - apiGroups: [""]
    resources: [configmaps]
    verbs: ["*"]
`

// Each of these would run, or read, while it is initialised or planned: nothing of them is
// started.
func TestNothingOfAnAttackIsStarted(t *testing.T) {
	trace := filepath.Join(t.TempDir(), "trace")
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`)}, looksFirst)
	f.expect("app applied")
	attacks := map[string]string{
		"external":  `data "external" "x" { program = ["sh", "-c", "echo ran >> ` + trace + `"] }`,
		"exec":      "resource \"terraform_data\" \"x\" {\n  provisioner \"local-exec\" { command = \"echo ran >> " + trace + "\" }\n}",
		"git":       `module "x" { source = "git::https://127.0.0.1:1/x.git?ref=main" }`,
		"provider":  "terraform {\n  required_providers {\n    evil = { source = \"127.0.0.1:1/evil/evil\" }\n  }\n}",
		"proc":      `output "x" { value = file("/proc/self/environ") }`,
		"backend":   "terraform {\n  backend \"http\" { address = \"http://127.0.0.1:1\" }\n}",
		"state":     `data "terraform_remote_state" "x" { backend = "http" }`,
		"http":      `data "http" "x" { url = "http://127.0.0.1:1" }`,
		"templated": `output "x" { value = templatefile("${path.module}/x.tpl", {}) }`,
	}
	files := map[string]string{"templated/x.tpl": `${file("/proc/self/environ")}`}
	for name, attack := range attacks {
		files[name+"/main.tf"] = attack + "\n"
	}
	pull := f.propose("topic", files)
	f.sync()
	run := f.planOf(pull)
	for name := range attacks {
		u := run.Unit(name)
		if u == nil || u.Status != Held && u.Status != Failed {
			t.Errorf("%s is planned: %+v", name, u)
			continue
		}
		if !strings.Contains(u.Reason+u.Error, "not planned, so that nothing of it runs") {
			t.Errorf("%s ended for another reason: %s%s", name, u.Reason, u.Error)
		}
		f.noTerraform(name)
	}
	if ran, err := os.ReadFile(trace); err == nil {
		t.Errorf("something ran: %s", ran)
	}
}

// What the operator's own configuration of Terraform would put in a provider's place is not started for a pull request.
func TestNothingIsStartedWithAProviderThatTheCLIConfigurationReplaces(t *testing.T) {
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`)}, looksFirst)
	f.expect("app applied")
	f.opts.CLIConfig = filepath.Join(t.TempDir(), "cli.tfrc")
	override := "provider_installation {\n  dev_overrides {\n    \"hashicorp/null\" = \"" + t.TempDir() + "\"\n  }\n  direct {}\n}\n"
	if err := os.WriteFile(f.opts.CLIConfig, []byte(override), 0o600); err != nil {
		t.Fatal(err)
	}
	f.reopen()
	pull := f.propose("topic", map[string]string{"app/main.tf": module(`"two"`)})
	f.sync()
	run := f.planOf(pull)
	u := run.Unit("app")
	if u == nil || u.Status != Failed || !strings.Contains(u.Error, "preflight.override") || !strings.Contains(u.Error, "cli.tfrc:2") {
		t.Errorf("it is planned: %+v", u)
	}
	f.noTerraform("app")
}

// A bundle that nobody has signed is no policy, and what it would have judged does not pass.
func TestABundleThatIsNotSignedLetsNothingPass(t *testing.T) {
	bundle := filepath.Join(t.TempDir(), "bundle.tar.gz")
	if err := os.WriteFile(bundle, []byte("no bundle"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`)}, func(o *Options) {
		o.Policies = []PolicyConfig{{Name: "org", Bundle: &BundleConfig{URL: bundle, Keys: []string{publicKey(t)}}}}
	})
	runs := f.sync()
	if got := summary(runs); got != "app failed" {
		t.Fatalf("with an unsigned bundle: %s", got)
	}
	says(t, runs[0].Units[0].Error, "bundle")
}

func publicKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}
