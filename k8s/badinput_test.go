package k8s

import (
	"errors"
	"strings"
	"testing"
)

// TestBadInput: one error that says where and what, and no write, whatever else of the set is good.
func TestBadInput(t *testing.T) {
	good := configMap("good", "k: v")
	large := "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: large}\ndata: {k: " + strings.Repeat("x", 2_000_000) + "}\n"
	for name, tt := range map[string]struct {
		manifests string
		want      []string
		is        error
	}{
		"same twice by default": {
			good + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: good, namespace: NS}\n",
			[]string{"k8s/m.yaml:7: v1 ConfigMap NS/good is already defined at k8s/m.yaml:2"}, nil},
		"unknown kinds": {
			good + "---\napiVersion: v1\nkind: Pood\nmetadata: {name: a}\n---\napiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: b}\n",
			[]string{"k8s/m.yaml:7: v1 Pood a: the cluster does not know this kind", "k8s/m.yaml:11: policy/v1beta1 PodDisruptionBudget b: the cluster does not know this kind in version v1beta1; it serves v1"}, ErrUnknownKind},
		"all faults": {
			good + "---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec:\n  ports:\n  - port: eighty\n    protocl: TCP\n  typ: ClusterIP\n" +
				"---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  replicas: three\n",
			[]string{
				`k8s/m.yaml:7: v1 Service NS/s: invalid: line 12: spec.ports[0].port: must be of type integer, not string "eighty"; line 13: spec.ports[0].protocl: unknown field; is protocol meant?; line 14: spec.typ: unknown field; is type meant?`,
				`k8s/m.yaml:16: apps/v1 Deployment NS/d: invalid: line 20: spec.replicas: must be of type integer, not string "three"; line 20: spec.selector: required, and missing`,
			}, nil},
		"large": {good + large, []string{"k8s/m.yaml:7: v1 ConfigMap NS/large: too large for a cluster: 2.0 MB as JSON, and a cluster keeps at most 1.5; split it, or keep what is large elsewhere"}, ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			result, err := r.apply(tt.manifests)
			for _, want := range tt.want {
				if want = strings.ReplaceAll(want, "NS", r.ns); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error = %.3000v\nwant    %s", err, want)
				}
			}
			if tt.is != nil && !errors.Is(err, tt.is) || len(r.writes()) != 0 || len(r.saves) != 0 || result.Failed < len(tt.want) && tt.is != nil {
				t.Errorf("writes %v, %d saves\n%s", r.writes(), len(r.saves), summary(result))
			}
		})
	}
}
