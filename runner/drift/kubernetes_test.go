package drift

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mooring-iac/mooring/k8s"
)

func objectOf(group, kind string, state k8s.DriftState) k8s.ObjectDrift {
	id := k8s.ID{Group: group, Kind: kind, Namespace: "web", Name: "x"}
	return k8s.ObjectDrift{ID: id, Ref: k8s.Item{ID: id, Version: "v1"}.Ref(), State: state}
}

func TestFindingsOfAClusterSayWhatHappenedAndHowGraveItIs(t *testing.T) {
	ill := objectOf("apps", "Deployment", k8s.DriftNone)
	ill.Health, ill.Message = k8s.HealthFailed, "it crashes"
	remade := objectOf("", "PersistentVolumeClaim", k8s.DriftRecreated)
	remade.WasUID, remade.UID = "1", "2"
	for _, tt := range []struct {
		object k8s.ObjectDrift
		want   string
	}{
		{objectOf("", "ConfigMap", k8s.DriftChanged), "v1 ConfigMap web/x: ConfigMap out_of_band changed update warning"},
		{objectOf("", "ConfigMap", k8s.DriftDeleted), "v1 ConfigMap web/x: ConfigMap out_of_band deleted create warning"},
		{objectOf("", "Secret", k8s.DriftDeleted), "v1 Secret web/x: Secret out_of_band deleted create critical"},
		{objectOf("apps", "StatefulSet", k8s.DriftDeleted), "apps/v1 StatefulSet web/x: apps/StatefulSet out_of_band deleted create critical"},
		{objectOf("", "Namespace", k8s.DriftDeleting), "v1 Namespace web/x: Namespace out_of_band deleted create critical"},
		{objectOf("", "PersistentVolumeClaim", k8s.DriftDeleted), "v1 PersistentVolumeClaim web/x: PersistentVolumeClaim out_of_band deleted create critical"},
		{objectOf("apiextensions.k8s.io", "CustomResourceDefinition", k8s.DriftDeleted), "apiextensions.k8s.io/v1 CustomResourceDefinition web/x: apiextensions.k8s.io/CustomResourceDefinition out_of_band deleted create critical"},
		{objectOf("rbac.authorization.k8s.io", "ClusterRole", k8s.DriftDeleted), "rbac.authorization.k8s.io/v1 ClusterRole web/x: rbac.authorization.k8s.io/ClusterRole out_of_band deleted create critical"},
		{objectOf("rbac.authorization.k8s.io", "RoleBinding", k8s.DriftChanged), "rbac.authorization.k8s.io/v1 RoleBinding web/x: rbac.authorization.k8s.io/RoleBinding out_of_band changed update critical"},
		{objectOf("networking.k8s.io", "NetworkPolicy", k8s.DriftChanged), "networking.k8s.io/v1 NetworkPolicy web/x: networking.k8s.io/NetworkPolicy out_of_band changed update critical"},
		{objectOf("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", k8s.DriftChanged), "admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration web/x: admissionregistration.k8s.io/ValidatingWebhookConfiguration out_of_band changed update critical"},
		{remade, "v1 PersistentVolumeClaim web/x: PersistentVolumeClaim out_of_band changed update critical"},
		{ill, "apps/v1 Deployment web/x: apps/Deployment unhealthy broken none warning"},
	} {
		found := Kubernetes(k8s.DriftReport{Objects: []k8s.ObjectDrift{tt.object}}, []byte("key"))
		if len(found) != 1 {
			t.Errorf("%d findings of %s", len(found), tt.want)
			continue
		}
		f := found[0]
		got := f.Address + ": " + strings.Join([]string{f.Kind, string(f.Class), string(f.Change), f.Action, string(f.Severity)}, " ")
		if got != tt.want || f.Fingerprint == "" || f.Cause == "" {
			t.Errorf("found %s\nwant  %s", got, tt.want)
		}
	}
}

func TestAnObjectThatIsChangedAndDoesNotWorkHasTwoFindings(t *testing.T) {
	o := objectOf("apps", "Deployment", k8s.DriftChanged)
	o.Health, o.Message = k8s.HealthInProgress, "no minimum"
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	o.Fields = []k8s.FieldDrift{{Path: "spec.replicas", Wanted: int64(1), Live: int64(0), By: "kubectl", Sub: "scale", At: &at}}
	found := Kubernetes(k8s.DriftReport{Objects: []k8s.ObjectDrift{o}}, []byte("key"))
	if len(found) != 2 || found[0].Class != OutOfBand || found[1].Class != Unhealthy || found[1].Message != "InProgress: no minimum" {
		t.Fatalf("%+v", found)
	}
	want := Field{Path: "spec.replicas", Old: int64(1), New: int64(0), By: "kubectl (scale)", At: &at, Digest: found[0].Fields[0].Digest}
	if diff := cmp.Diff([]Field{want}, found[0].Fields); diff != "" {
		t.Error(diff)
	}
}

func TestFindingsOfAClusterAreTheSameUntilSomethingChanges(t *testing.T) {
	secret := objectOf("", "Secret", k8s.DriftChanged)
	print := func(digest string, at time.Time) string {
		secret.Fields = []k8s.FieldDrift{{Path: "data.password", Secret: true, Digest: digest, By: "x", At: &at}}
		return Kubernetes(k8s.DriftReport{Objects: []k8s.ObjectDrift{secret}}, []byte("key"))[0].Fingerprint
	}
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	first := print("a.b", noon)
	if again := print("a.b", noon.Add(time.Hour)); again != first {
		t.Error("the same value is another drift")
	}
	if other := print("a.c", noon); other == first {
		t.Error("another value is the same drift")
	}
}

func TestFindingsOfAClusterRepeatNoSecretAndNothingLong(t *testing.T) {
	secret := objectOf("", "Secret", k8s.DriftChanged)
	secret.Fields = []k8s.FieldDrift{{Path: "data.password", Secret: true, Wanted: "hunter2", Live: "mine"}}
	long := objectOf("", "ConfigMap", k8s.DriftChanged)
	long.Fields = []k8s.FieldDrift{{Path: "data.k", Wanted: "v", Live: strings.Repeat("long", 5000)}}
	raw, err := json.Marshal(Kubernetes(k8s.DriftReport{Objects: []k8s.ObjectDrift{secret, long}}, []byte("key")))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(raw); strings.Contains(text, "hunter2") || strings.Contains(text, "mine") || len(text) > 3000 || !strings.Contains(text, "(20002 bytes, sha256 ") {
		t.Errorf("%d bytes: %.2000s", len(text), text)
	}
}

func TestADeletionThatHasBegunSaysWhatItWaitsFor(t *testing.T) {
	o := objectOf("", "ConfigMap", k8s.DriftDeleting)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	o.Since, o.Finalizers = &at, []string{"example.com/a", "example.com/b"}
	f := Kubernetes(k8s.DriftReport{Objects: []k8s.ObjectDrift{o}}, nil)[0]
	if want := "its deletion has begun at 2026-01-02T03:04:05Z and waits for example.com/a, example.com/b"; f.Message != want {
		t.Errorf("message %q", f.Message)
	}
}

func TestObjectsTheFilesHaveMovedOnFromAreUndeployed(t *testing.T) {
	item := k8s.Item{ID: k8s.ID{Group: "apps", Kind: "Deployment", Namespace: "web", Name: "x"}, Version: "v1"}
	found := Kubernetes(k8s.DriftReport{Undeployed: []k8s.Item{item}, Unseen: []string{"v1 ConfigMap web/y"}}, nil)
	if len(found) != 1 || found[0].Class != Undeployed || found[0].Address != "apps/v1 Deployment web/x" || found[0].Severity != Info {
		t.Errorf("%+v", found)
	}
}
