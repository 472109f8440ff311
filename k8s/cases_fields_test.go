package k8s

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// args is a Deployment whose container has the given arguments: a list that has one owner as a whole.
func args(list string) string {
	return strings.Replace(deployment("web", "  replicas: 0"), `image: "c:1"`, `image: "c:1", args: [`+list+`]`, 1)
}

func (r *rig) argsOf(name string) []any {
	r.Helper()
	containers, _, _ := unstructured.NestedSlice(r.get("apps/v1", "Deployment", name).Object, "spec", "template", "spec", "containers")
	list, _ := containers[0].(map[string]any)["args"].([]any)
	return list
}

func TestCase07AtomicListEdited(t *testing.T) {
	r := newRig(t)
	r.mustApply(args("a, b, c"))
	if result := r.mustApply(args("a, c")); result.Configured != 1 {
		t.Errorf("%s", summary(result))
	}
	if diff := cmp.Diff([]any{"a", "c"}, r.argsOf("web")); diff != "" {
		t.Errorf("an item removed: %s", diff)
	}
	r.edit("kubectl-edit", "apps/v1", "Deployment", "web", `{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"c:1","args":["a","c","theirs"]}]}}}}`)
	_, err := r.apply(args("a, d"))
	var conflict *ConflictError
	if !errors.As(err, &conflict) || !cmp.Equal(conflict.Fields, []string{`.spec.template.spec.containers[name="c"].args`}) || conflict.Manager != "kubectl-edit" {
		t.Errorf("error = %v", err)
	}
	if diff := cmp.Diff([]any{"a", "c", "theirs"}, r.argsOf("web")); diff != "" {
		t.Errorf("an edit of others was overwritten: %s", diff)
	}
	r.set.Force = true
	r.mustApply(args("a, d"))
	if diff := cmp.Diff([]any{"a", "d"}, r.argsOf("web")); diff != "" {
		t.Errorf("forced: %s", diff)
	}
}

// mustSeeNoDrift holds for the record of what was applied, and for a comparison with what the server makes of it.
func (r *rig) mustSeeNoDrift(manifests string) {
	r.Helper()
	first := r.mustApply(manifests)
	r.forgetRequests()
	if again := r.mustApply(manifests); again.Unchanged != len(first.Objects) || len(r.writes()) != 0 {
		r.Errorf("again: %s%v", summary(again), r.writes())
	}
	// Without a record of what was applied, every object is compared.
	var bare Inventory
	for _, item := range r.inv.Items {
		item.Applied = ""
		bare.Items = append(bare.Items, item)
	}
	plan, err := r.c.Plan(r.Context(), r.set, r.render(manifests), bare, ApplyOptions{})
	if err != nil || plan.Unchanged != len(first.Objects) {
		r.Errorf("compared: %v\n%s", err, summary(plan.Result))
	}
	versions := map[ID]string{}
	for _, item := range r.inv.Items {
		versions[item.ID] = r.get(item.apiVersion(), item.Kind, item.Name).GetResourceVersion()
	}
	r.inv = bare
	if result := r.mustApply(manifests); result.Unchanged != len(first.Objects) {
		r.Errorf("sent again: %s", summary(result))
	}
	for _, item := range r.inv.Items {
		if o := r.get(item.apiVersion(), item.Kind, item.Name); o.GetResourceVersion() != versions[item.ID] {
			r.Errorf("%s was written", item.Ref())
		}
	}
}

func TestCase08DefaultsAndEmptyListsAreNoDrift(t *testing.T) {
	r := newRig(t)
	r.mustSeeNoDrift(`---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {}, annotations: {}}
spec:
  replicas: 0
  strategy: {}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      imagePullSecrets: []
      initContainers: []
      nodeSelector: {}
      securityContext: {}
      tolerations: null
      volumes: []
      containers: [{name: c, image: "c:1", args: [], env: [], ports: [{containerPort: 80}], resources: {requests: {cpu: 1000m, memory: 1024Mi}, limits: {}}, volumeMounts: []}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}], externalIPs: []}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: empty}
data: {}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: none}
rules: []
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: c}
spec: {schedule: "0 0 1 1 *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: c}]}}}}}
`)
}

func TestCase09VolumeClaimTemplatesAreNoDrift(t *testing.T) {
	r := newRig(t)
	r.mustSeeNoDrift(`---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 0
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}, creationTimestamp: null}
    spec: {containers: [{name: c, image: "c:1", volumeMounts: [{name: data, mountPath: /data}]}]}
  volumeClaimTemplates:
  - metadata: {name: data, creationTimestamp: null}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
    status: {}
  - apiVersion: v1
    kind: PersistentVolumeClaim
    metadata: {name: logs, labels: {}}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1024Mi}}}
`)
}

func TestCase10DuplicatePortsAndEnv(t *testing.T) {
	for name, tt := range map[string]struct{ manifest, want string }{
		"env": {strings.Replace(deployment("web", ""), `image: "c:1"`, `image: "c:1", env: [{name: A, value: b}, {name: A, value: c}]`, 1),
			`k8s/m.yaml:7: apps/v1 Deployment NS/web: invalid: line 14: spec.template.spec.containers[name="c"].env: duplicate entries for key [name="A"]`},
		"container ports": {strings.Replace(deployment("web", ""), `image: "c:1"`, `image: "c:1", ports: [{containerPort: 80}, {containerPort: 80}]`, 1),
			`k8s/m.yaml:7: apps/v1 Deployment NS/web: invalid: line 14: spec.template.spec.containers[name="c"].ports: duplicate entries for key [containerPort=80,protocol="TCP"]`},
		"service ports": {"---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports:\n  - {name: a, port: 80}\n  - {name: b, port: 80}\n",
			`k8s/m.yaml:7: v1 Service NS/web: invalid: line 12: spec.ports: duplicate entries for key [port=80,protocol="TCP"]`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			_, err := r.apply(configMap("a", "k: v") + tt.manifest)
			if want := strings.ReplaceAll(tt.want, "NS", r.ns); err == nil || err.Error() != want {
				t.Errorf("error = %v\nwant    %s", err, want)
			}
			if len(r.writes()) != 0 {
				t.Errorf("writes %v", r.writes())
			}
		})
	}
}
