package k8s

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// plan plans manifests against the cluster and the inventory as it stands.
func (r *rig) plan(objects []Object) *ChangePlan {
	r.Helper()
	r.forgetRequests()
	plan, err := r.c.Plan(r.Context(), r.set, objects, r.inv, ApplyOptions{})
	if err != nil {
		r.Fatalf("plan: %v\n%s", err, summary(plan.Result))
	}
	if w := r.writes(); len(w) > 0 {
		r.Errorf("a plan wrote: %v", w)
	}
	return plan
}

// text is a plan as a person would read it, with the test's namespace called NS.
func (r *rig) text(plan *ChangePlan) string {
	var b strings.Builder
	for _, o := range plan.Objects {
		fmt.Fprintf(&b, "%s %s", o.Action, o.Ref)
		if o.Message != "" {
			b.WriteString(" (" + o.Message + ")")
		}
		b.WriteByte('\n')
		if o.Diff != nil {
			if o.Diff.Note != "" {
				b.WriteString("note: " + o.Diff.Note + "\n")
			}
			b.WriteString(o.Diff.Text)
		}
	}
	return strings.ReplaceAll(b.String(), r.ns, "NS")
}

// perObject counts the requests that name an object: not the discovery and not the lists.
func (r *rig) perObject(name string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, s := range r.sent {
		if strings.HasSuffix(strings.TrimSuffix(s, " (dry-run)"), "/"+name) {
			n++
		}
	}
	return n
}

const shop = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80}, {name: metrics, port: 9090}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: nginx:1.27
        args: [serve, --fast]
        env: [{name: A, value: "1"}, {name: B, value: "2"}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  app.conf: |
    one = 1
    two = 2
    three = 3
    four = 4
    five = 5
  untouched: |
    a
    b
---
apiVersion: v1
kind: ConfigMap
metadata: {name: same}
data: {a: b}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: leaves}
data: {a: b}
---
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: old-password, user: admin-user}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 0
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: postgres:17}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`

func TestPlanShowsWhatWouldChange(t *testing.T) {
	r := newRig(t)
	r.mustApply(shop)
	if plan := r.plan(r.render(shop)); plan.Changes() != 0 {
		t.Fatalf("defaults are taken for changes:\n%s", r.text(plan))
	}
	for _, name := range []string{"web", "settings", "same", "db"} {
		if n := r.perObject(name); n != 0 {
			t.Errorf("%s is unchanged and cost %d requests", name, n)
		}
	}
	changed := strings.NewReplacer(
		"{name: metrics, port: 9090}", "{name: metrics, port: 9091}",
		"nginx:1.27", "nginx:1.28",
		"[serve, --fast]", "[serve, --fast, --quiet]",
		`{name: A, value: "1"}, {name: B, value: "2"}`, `{name: C, value: "3"}, {name: B, value: "two"}`,
		"two = 2", "two = 22",
		"{password: old-password, user: admin-user}", "{password: new-password, token: a-token}",
	).Replace(shop)
	first, last, _ := strings.Cut(changed, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: leaves}\ndata: {a: b}\n")
	plan := r.plan(r.render(first + last + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: comes, labels: {app: web}}\ndata: {text: \"a\\nb\\n\"}\n"))
	golden(t, "plan-changes.golden", r.text(plan))
	for name, most := range map[string]int{"web": 4, "settings": 2, "same": 0, "db": 0, "comes": 1, "login": 2} { // web is two objects
		if n := r.perObject(name); n > most {
			t.Errorf("%s cost %d requests, want at most %d", name, n, most)
		}
	}
	data, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"old-password", "new-password", "b2xkLXBhc3N3b3Jk", "bmV3LXBhc3N3b3Jk", "a-token", "YS10b2tlbg==", "admin-user"} {
		if strings.Contains(string(data), value) {
			t.Errorf("%s shows in the plan", value)
		}
	}
	if plan.Pruned != 1 || plan.Created != 1 || plan.Configured != 4 {
		t.Errorf("%d to prune, %d to create, %d to configure; want 1, 1, 4", plan.Pruned, plan.Created, plan.Configured)
	}
}

func TestPlanShowsCustomResources(t *testing.T) {
	r := newRig(t)
	const crd = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: diffs.NS.example.com, annotations: {mooring.dev/prune: enabled}}
spec:
  group: NS.example.com
  scope: Namespaced
  names: {kind: Diff, plural: diffs}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              size: {type: integer, default: 7}
              mode: {type: string}
              tags: {type: array, items: {type: string}}
              parts:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [id]
                items: {type: object, required: [id], properties: {id: {type: string}, count: {type: integer}}}
`
	const object = "---\napiVersion: NS.example.com/v1\nkind: Diff\nmetadata: {name: one}\nspec:\n  mode: slow\n  tags: [a, b]\n  parts: [{id: v, count: 1}, {id: w, count: 2}]\n"
	plan := r.plan(r.render(crd + object))
	if plan.Created != 2 || !strings.Contains(plan.Objects[1].Diff.Text, "+  mode: slow\n") {
		t.Errorf("before there is a CRD:\n%s", r.text(plan))
	}
	r.mustApply(crd + object)
	defer r.mustApply(crd)
	plan = r.plan(r.render(crd + strings.NewReplacer("slow", "fast", "[a, b]", "[b]", "count: 2", "count: 3").Replace(object)))
	golden(t, "plan-custom.golden", r.text(plan))
}

func TestPlanOfKubectlsObjects(t *testing.T) {
	r := newRig(t)
	const manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: NS}\ndata: {a: \"1\", b: \"2\"}\n"
	r.kubectl(manifest, "apply", "-f", "-")
	plan := r.plan(r.render(manifest))
	if o := plan.Objects[0]; o.Action != Configured || o.Diff == nil || !o.Diff.Adopts || len(o.Diff.Changes) > 0 {
		t.Errorf("an object that only changes hands:\n%s%+v", r.text(plan), o.Diff)
	}
	plan = r.plan(r.render(strings.Replace(manifest, `a: "1"`, `a: "one"`, 1)))
	if got, want := shortChanges(plan.Objects[0].Diff), "replace data.a\n"; got != want {
		t.Errorf("changes %q, want %q", got, want)
	}
	if n := r.perObject("settings"); n > 2 {
		t.Errorf("%d requests", n)
	}
}

func TestPlanWithValuesKnownAfterApply(t *testing.T) {
	r := newRig(t)
	const manifests = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {zone: "${zone}"}}
spec:
  replicas: ${count}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: nginx
        env: [{name: URL, value: "postgres://${host}:5432/db"}, {name: MODE, value: "${mode}"}]
---
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: "${password}", user: admin}
data: {raw: "${raw}"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: new}
data: {host: "${host}"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: "for-${zone}"}
data: {a: b}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: same}
data: {a: b}
`
	values := map[string]Value{"zone": value("a"), "count": value(0), "host": value("db-1"), "mode": value("x"), "password": sensitive("hush-1"), "raw": sensitive("aHVzaC0y")}
	render := func(preview bool, change func()) ([]Object, error) {
		if change != nil {
			change()
		}
		src := checkout(r, "-- k8s/m.yaml --\n"+manifests, "k8s")
		src.Values, src.Preview = values, preview
		return Render(src)
	}
	objects, err := render(false, nil)
	if err != nil {
		t.Fatal(err)
	}
	applied, err := r.c.Apply(t.Context(), r.set, append(objects[:2:2], objects[3:]...), r.inv, r.options())
	if err != nil {
		t.Fatal(err)
	}
	r.inv = applied.Inventory
	unknown := func() {
		values["mode"] = value("y")
		for _, name := range []string{"zone", "count", "host"} {
			values[name] = Value{Unknown: true}
		}
		for _, name := range []string{"password", "raw"} {
			values[name] = Value{Unknown: true, Sensitive: true}
		}
	}
	if _, err := render(false, unknown); !errors.Is(err, ErrUnknownValue) {
		t.Errorf("a render that is no preview: %v", err)
	}
	objects, err = render(true, unknown)
	if err != nil {
		t.Fatal(err)
	}
	plan := r.plan(objects)
	golden(t, "plan-unknown.golden", r.text(plan))
	if n := r.perObject("web"); n != 1 {
		t.Errorf("the Deployment cost %d requests, want one", n)
	}
	r.forgetRequests()
	result, err := r.c.Apply(t.Context(), r.set, objects, r.inv, r.options())
	if !errors.Is(err, ErrUnknownValue) || len(r.sent) > 0 {
		t.Errorf("applying a preview: %v, %d requests", err, len(r.sent))
	}
	if len(result.Inventory.Items) != len(r.inv.Items) {
		t.Error("the inventory was lost")
	}
}

func TestPlanSaysWhyAnObjectIsRecreated(t *testing.T) {
	r := newRig(t)
	const manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fixed, annotations: {mooring.dev/recreate: enabled}}\nimmutable: true\ndata: {a: \"1\", b: \"2\"}\n"
	r.mustApply(manifest + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: leaves}\n")
	plan := r.plan(r.render("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: comes}\n---\n" + strings.Replace(manifest, `{a: "1", b: "2"}`, `{a: "one"}`, 1)))
	golden(t, "plan-recreated.golden", r.text(plan))
	if n := r.perObject("fixed"); n > 2 {
		t.Errorf("%d requests", n)
	}
}
