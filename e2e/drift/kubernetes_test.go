package drift

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mooring-iac/mooring/e2e/program"
	"github.com/mooring-iac/mooring/runner"
	"github.com/mooring-iac/mooring/runner/drift"
)

const objectRules = `manifests "app" {
  path = "k8s"
}
drift {
  every   = "1s"
  backoff = 1
  heal    = true
  ignore {
    addresses = ["v1 ConfigMap */counter"]
    fields    = ["data.count"]
    reason    = "the application counts"
    until     = "2099-01-01"
  }
}
`

// Another client scales, edits and deletes objects of a real API server: each is found with who did it and when, told in
// one message, and put right where repository and operator ask for that.
func TestWhatOthersDoToObjectsIsFoundAndHealed(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "drift-others")
	w := newWorld(t, setting{server: c.block(), files: func(*world) map[string]string {
		return map[string]string{"mooring.hcl": objectRules, "k8s/all.yaml": deployment(c.ns, "web", 1) +
			configMap(c.ns, "settings", "level", "info") + configMap(c.ns, "gone", "k", "v") + configMap(c.ns, "counter", "count", "0")}
	}})
	w.sync(0)
	if run := w.scan(0, "drift"); found(run) != "" {
		t.Fatalf("found of what nobody touched:\n%s", found(run))
	}
	began := time.Now().Truncate(time.Second)
	c.scale("web", 3)
	c.edit("kubectl-edit", "settings", "level", "debug")
	c.remove("gone")
	c.edit("counter", "counter", "count", "7")
	run := w.scan(2, "drift", "scan", "app")
	want := fmt.Sprintf("app: apps/v1 Deployment %[1]s/web out_of_band changed update\napp: v1 ConfigMap %[1]s/gone out_of_band deleted create\n"+
		"app: v1 ConfigMap %[1]s/settings out_of_band changed update", c.ns)
	if got := sorted(found(run)); got != want {
		t.Errorf("found\n%s\nwant\n%s", got, want)
	}
	u := run.Unit("app")
	changedBy(t, u, "spec.replicas", "kubectl (scale)", time.Time{}) // the API server notes no time of a scale
	changedBy(t, u, "data.level", "kubectl-edit", began)
	notes := strings.Join(u.Notes, "\n")
	if !strings.Contains(notes, "counter is left out: the application counts") || !strings.Contains(notes, "not healed: the operator does not allow it") {
		t.Errorf("the scan says %q", notes)
	}
	messages := w.hook.messages()
	last := messages[len(messages)-1]
	if last.String() != "drift new app" || len(last.Lines) != 3 {
		t.Errorf("told %s: %q", last, last.Lines)
	}

	w.allow()
	w.serve()
	w.await(time.Minute, "all to be healed", func() string {
		if got := w.hook.heard("drift"); !slices.Equal(got, []string{"drift new app", "drift resolved app"}) {
			return fmt.Sprintf("told of %q; Mooring says\n%s", got, program.Tail(w.mooring.Said()))
		}
		return ""
	})
	w.stop()
	healed(w, c)
}

// allow has the operator let drift be healed.
func (w *world) allow() {
	w.t.Helper()
	b, err := os.ReadFile(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	w.write(w.config, strings.Replace(string(b), "  policy {\n", "  drift {\n    remediate = \"apply\"\n  }\n  policy {\n", 1))
}

func healed(w *world, c *cluster) {
	w.t.Helper()
	web, err := c.client.AppsV1().Deployments(c.ns).Get(w.t.Context(), "web", metav1.GetOptions{})
	if err != nil || *web.Spec.Replicas != 1 {
		w.t.Errorf("the Deployment has %+v, %v", web.Spec.Replicas, err)
	}
	settings, err := c.client.CoreV1().ConfigMaps(c.ns).Get(w.t.Context(), "settings", metav1.GetOptions{})
	if err != nil || settings.Data["level"] != "info" {
		w.t.Errorf("the ConfigMap has %v, %v", settings.Data, err)
	}
	if _, err := c.client.CoreV1().ConfigMaps(c.ns).Get(w.t.Context(), "gone", metav1.GetOptions{}); err != nil {
		w.t.Error(err)
	}
	counter, err := c.client.CoreV1().ConfigMaps(c.ns).Get(w.t.Context(), "counter", metav1.GetOptions{})
	if err != nil || counter.Data["count"] != "7" {
		w.t.Errorf("what a rule leaves to others was put right as well: %v, %v", counter.Data, err)
	}
	for _, d := range w.drifts("history") {
		if d.Ended == nil || !strings.HasPrefix(d.EndedBy, "run ") {
			w.t.Errorf("%s ended %v by %q", d.Address, d.Ended, d.EndedBy)
		}
	}
}

// changedBy looks for a field that somebody changed since a time.
func changedBy(t *testing.T, u *runner.UnitResult, path, by string, since time.Time) {
	t.Helper()
	for _, d := range u.Drift {
		if i := slices.IndexFunc(d.Fields, func(f drift.Field) bool { return f.Path == path }); i >= 0 {
			if f := d.Fields[i]; f.By != by || !since.IsZero() && (f.At == nil || f.At.Before(since)) {
				t.Errorf("%s is %v, by %q at %v, want by %q since %s", path, f.New, f.By, f.At, by, since)
			}
			return
		}
	}
	t.Errorf("no field %s in %+v", path, u.Drift)
}

func sorted(lines string) string {
	all := strings.Split(lines, "\n")
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// While the server runs, it knows what the cluster has: a scan of what nobody touched asks for nothing.
func TestAScanOfAThousandUnchangedObjectsSendsNothing(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "drift-many")
	// Both stories have one cluster, and a set is its repository and its id, whichever Mooring has it.
	w := newWorld(t, setting{server: c.block(), files: func(*world) map[string]string {
		var all strings.Builder
		for i := range 1000 {
			all.WriteString(configMap(c.ns, fmt.Sprintf("c%d", i), "k", "v"))
		}
		return map[string]string{"mooring.hcl": "manifests \"many\" {\n  path = \"k8s\"\n}\n", "k8s/all.yaml": all.String()}
	}})
	w.serve()
	w.await(time.Minute, "all to be applied", func() string {
		if len(w.hook.heard("applied")) == 0 {
			return program.Tail(w.mooring.Said())
		}
		return ""
	})
	w.scan(0, "drift")
	n, _ := c.requests()
	t.Logf("%d requests for 1,000 objects until after the first scan", n)
	c.forget()
	w.scan(0, "drift")
	if n, all := c.requests(); n > 0 {
		t.Errorf("the second scan sent %d requests:\n%s", n, program.Tail(all))
	}
	c.edit("somebody", "c500", "k", "w")
	c.remove("c501")
	w.await(time.Minute, "what somebody did to be found", func() string {
		code, _, errs := w.run("drift")
		if all := w.drifts("list"); code != 2 || len(all) != 2 {
			return fmt.Sprintf("exit %d, %d found, %s", code, len(all), errs)
		}
		return ""
	})
}
