package k8s

import (
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Between the plan and the prune lies the wait for health, which may be minutes: what a person says of an object meanwhile counts.
func TestPruneHeedsWhatWasSaidMeanwhile(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("a", "k: v") + configMap("released", "k: v") + configMap("kept", "k: v") + configMap("doomed", "k: v"))
	r.hook = func(e Event) {
		if e.Kind == EventObject && strings.HasSuffix(e.Ref, "/a") {
			r.edit("somebody", "v1", "ConfigMap", "released", `{"metadata":{"labels":{"mooring.dev/set":null}}}`)
			r.edit("somebody", "v1", "ConfigMap", "kept", `{"metadata":{"annotations":{"mooring.dev/prune":"disabled"}}}`)
			r.edit("somebody", "v1", "ConfigMap", "doomed", `{"metadata":{"annotations":{"b":"c"}}}`)
		}
	}
	result := r.mustApply(configMap("a", "k: w"))
	if r.get("v1", "ConfigMap", "released") == nil || r.get("v1", "ConfigMap", "kept") == nil || r.get("v1", "ConfigMap", "doomed") != nil || result.Pruned != 1 {
		t.Errorf("%s", summary(result))
	}
	var names []string
	for _, item := range result.Inventory.Items {
		names = append(names, item.Name)
	}
	if got := strings.Join(names, " "); got != "a kept" {
		t.Errorf("the inventory holds %s", got)
	}
}

// A watch that was lost is not believed before the server has said how far it has come, whatever it shows meanwhile; and one that has
// shown nothing yet is no empty cluster.
func TestWatchThatWasLostHasToCatchUp(t *testing.T) {
	s := newWatched(t.Context(), kind{version: "v1", kind: "ConfigMap", resource: "configmaps"})
	every := func(ID, Live) bool { return true }
	believed := func(want bool, when string) {
		t.Helper()
		if all, err := s.all(t.Context(), every); (err == nil) != want {
			t.Errorf("%s: %v, %v", when, all, err)
		}
	}
	s.lose(errors.New("connection refused"))
	if err := s.Bookmark("5"); err != nil {
		t.Fatal(err)
	}
	believed(false, "nothing was shown")
	if err := s.Replace(nil, "7"); err != nil {
		t.Fatal(err)
	}
	believed(true, "everything was shown")
	s.lose(errors.New("connection reset"))
	if err := s.Add(metadataOf("8")); err != nil {
		t.Fatal(err)
	}
	believed(false, "more may be on its way")
	if err := s.Bookmark("9"); err != nil {
		t.Fatal(err)
	}
	believed(true, "it has caught up")
}

// The answer to a write may be taken in after the watch has shown what came of it.
func TestAnswerComesAfterTheDeletion(t *testing.T) {
	s := newWatched(t.Context(), kind{version: "v1", kind: "ConfigMap", resource: "configmaps", namespaced: true})
	if err := s.Replace(nil, "7"); err != nil {
		t.Fatal(err)
	}
	made := metadataOf("10")
	gone := metadataOf("12")
	if err := errors.Join(s.Add(made), s.Delete(gone)); err != nil {
		t.Fatal(err)
	}
	s.wrote(s.id(made), liveOf(made))
	all, err := s.all(t.Context(), func(ID, Live) bool { return true })
	if err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	again := metadataOf("15")
	s.wrote(s.id(again), liveOf(again)) // the watch is not that far
	if err := s.Delete(gone); err != nil {
		t.Fatal(err)
	}
	if all, _ := s.all(t.Context(), func(ID, Live) bool { return true }); len(all) != 1 {
		t.Errorf("%v", all)
	}
}

func metadataOf(version string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "a", ResourceVersion: version}}
}
