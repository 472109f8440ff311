package k8s

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// annotated is a manifest with annotations of ours.
func annotated(manifest, annotations string) string {
	return strings.Replace(manifest, "metadata: {", "metadata: {annotations: {"+annotations+"}, ", 1)
}

func job(name, spec string) string {
	return "---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: " + name + "}\nspec:\n  template: {spec: {restartPolicy: Never, containers: [{name: c, image: c}]}}\n" + spec
}

// sentOrder lists the names of the objects that were written, in order.
func (r *rig) sentOrder() []string {
	var names []string
	for _, w := range r.writes() {
		method, path, _ := strings.Cut(w, " ")
		name := path[strings.LastIndex(path, "/")+1:]
		if method == "DELETE" {
			name = "-" + name
		}
		names = append(names, name)
	}
	return names
}

func TestWavesAreHealthyOneAfterTheOther(t *testing.T) {
	r := newRig(t)
	manifests := annotated(configMap("last", "k: v"), `mooring.dev/wave: "2"`) + annotated(configMap("first", "k: v"), `mooring.dev/wave: "-1"`) +
		annotated(deployment("web", "  replicas: 1"), `mooring.dev/wave: "1"`) + configMap("middle", "k: v")
	var early []string
	r.hook = func(e Event) {
		if e.Kind == EventObject && strings.HasSuffix(e.Ref, "/last") {
			web := r.get("apps/v1", "Deployment", "web")
			if ready, _, _ := unstructured.NestedFloat64(web.Object, "status", "readyReplicas"); ready != 1 {
				early = append(early, "web was not ready")
			}
		}
	}
	r.mustApply(manifests)
	if want := []string{"first", "middle", "web", "last"}; !slices.Equal(r.sentOrder(), want) {
		t.Errorf("sent %v, want %v", r.sentOrder(), want)
	}
	if len(early) > 0 {
		t.Error(early)
	}
}

func TestOrderAnnotationsThatMeanNothing(t *testing.T) {
	r := newRig(t)
	for annotation, want := range map[string]string{
		`mooring.dev/wave: "one"`:    `"one": a whole number is expected`,
		`mooring.dev/hook: "during"`: `"during": "before" or "after" is expected`,
	} {
		_, err := r.apply(annotated(configMap("a", "k: v"), annotation))
		var invalid *InvalidError
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), want) || invalid.Fields[0].Line == 0 || len(r.writes()) > 0 {
			t.Errorf("%s: %v, writes %v", annotation, err, r.writes())
		}
	}
}

// byHand is of the spec of a Job that the cluster's own controller leaves alone, so that its status is the test's from the first to the last.
const byHand = "  managedBy: mooring.dev/test\n"

// done says in place of the cluster's controller that a Job is complete, or has failed. The Job is byHand.
func (r *rig) done(name, condition string) {
	r.Helper()
	now := time.Now().UTC().Format(time.RFC3339)
	more := `"completionTime":"` + now + `",`
	conditions := `{"type":"SuccessCriteriaMet","status":"True","lastTransitionTime":"` + now + `"},{"type":"Complete","status":"True","lastTransitionTime":"` + now + `"}`
	if condition == "Failed" {
		more = ""
		conditions = `{"type":"FailureTarget","status":"True","lastTransitionTime":"` + now + `"},{"type":"Failed","status":"True","reason":"BackoffLimitExceeded","lastTransitionTime":"` + now + `"}`
	}
	r.edit("controller status", "batch/v1", "Job", name, `{"status":{"startTime":"`+now+`",`+more+`"active":0,"ready":0,"succeeded":0,"terminating":0,"uncountedTerminatedPods":null,"conditions":[`+conditions+`]}}`)
}

// A hook runs before or after everything else, again with every change, and not without one.
func TestHooksRunWithEveryChange(t *testing.T) {
	r := newRig(t)
	// Suspended, so that the cluster's own controller leaves their status to the test.
	hooks := annotated(job("migrate", "  suspend: true\n"), `mooring.dev/hook: before`) + annotated(job("notify", "  suspend: true\n"), `mooring.dev/hook: after`)
	first := r.mustApply(hooks + configMap("a", "k: v"))
	if want := []string{"migrate", "a", "notify"}; !slices.Equal(r.sentOrder(), want) {
		t.Errorf("sent %v, want %v\n%s", r.sentOrder(), want, summary(first))
	}
	uids := func() (all []types.UID) {
		for _, name := range []string{"migrate", "notify"} {
			all = append(all, r.get("batch/v1", "Job", name).GetUID())
		}
		return all
	}
	before := uids()
	r.forgetRequests()
	if r.mustApply(hooks + configMap("a", "k: v")); len(r.writes()) != 0 || !slices.Equal(uids(), before) {
		t.Errorf("hooks ran without a change: %v", r.writes())
	}
	result := r.mustApply(hooks + configMap("a", "k: w"))
	if result.Recreated != 2 || result.Configured != 1 || slices.Equal(uids(), before) {
		t.Errorf("%s", summary(result))
	}
	if want := []string{"-migrate", "migrate", "a", "-notify", "notify"}; !slices.Equal(r.sentOrder(), want) {
		t.Errorf("sent %v, want %v", r.sentOrder(), want)
	}
}

// A hook that fails ends the apply before anything else is sent.
func TestFailedHookStopsTheSet(t *testing.T) {
	r := newRig(t)
	r.hook = func(e Event) {
		if e.Kind == EventObject && strings.HasSuffix(e.Ref, "/migrate") {
			r.done("migrate", "Failed")
		}
	}
	result, err := r.apply(annotated(job("migrate", byHand), `mooring.dev/hook: before`) + configMap("a", "k: v"))
	if !errors.Is(err, ErrUnhealthy) || !strings.Contains(err.Error(), "BackoffLimitExceeded") || actions(result)["a"] != Skipped || r.get("v1", "ConfigMap", "a") != nil {
		t.Errorf("error = %v\n%s", err, summary(result))
	}
}

// A Job that is done and was removed after its time to live is not run again.
func TestJobsThatExpireRunOnce(t *testing.T) {
	r := newRig(t)
	manifest := job("once", byHand+"  ttlSecondsAfterFinished: 1\n")
	r.hook = func(e Event) {
		if e.Kind == EventObject && strings.HasSuffix(e.Ref, "/once") {
			r.done("once", "Complete")
		}
	}
	r.mustApply(manifest + configMap("a", "k: v"))
	r.await("the Job to expire", func() bool { return r.get("batch/v1", "Job", "once") == nil })
	r.forgetRequests()
	if result := r.mustApply(manifest + configMap("a", "k: w")); actions(result)["once"] != Unchanged || r.get("batch/v1", "Job", "once") != nil {
		t.Errorf("%s%v", summary(result), r.writes())
	}
}

// An immutable field: refused, unless the object may be made anew.
func TestCase15ImmutableJobRecreatedOnlyWhenAsked(t *testing.T) {
	r := newRig(t)
	image := func(annotation, name string) string {
		return annotated(job("j", "  suspend: true\n"), annotation) + "  completionMode: " + name + "\n  completions: 1\n"
	}
	r.mustApply(image("a: b", "NonIndexed") + configMap("a", "k: v"))
	uid := r.get("batch/v1", "Job", "j").GetUID()
	r.forgetRequests()
	_, err := r.apply(image("a: b", "Indexed") + configMap("a", "k: w"))
	var invalid *InvalidError
	if !errors.As(err, &invalid) || len(r.writes()) != 0 || r.get("batch/v1", "Job", "j").GetUID() != uid {
		t.Errorf("error = %v, writes %v", err, r.writes())
	}
	plan, err := r.c.Plan(t.Context(), r.set, r.render(image("mooring.dev/recreate: enabled", "Indexed")+configMap("a", "k: w")), r.inv, ApplyOptions{})
	if err != nil || plan.Recreated != 1 || plan.Configured != 1 || !strings.Contains(summary(plan.Result), "cannot be changed") {
		t.Errorf("plan: %v\n%s", err, summary(plan.Result))
	}
	result := r.mustApply(image("mooring.dev/recreate: enabled", "Indexed") + configMap("a", "k: w"))
	if result.Recreated != 1 || r.get("batch/v1", "Job", "j").GetUID() == uid {
		t.Errorf("%s", summary(result))
	}
	r.forgetRequests()
	if r.mustApply(image("mooring.dev/recreate: enabled", "Indexed") + configMap("a", "k: w")); len(r.writes()) != 0 {
		t.Errorf("again: %v", r.writes())
	}
}
