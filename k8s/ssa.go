package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
)

// leftovers are the managers under which kubectl records whole objects it wrote from files. Their fields are
// taken over: an object that was made by kubectl and is now in Git has one owner, and what Git drops goes.
// Deliberate single edits (kubectl edit, scale, set, patch) are somebody's decision and stay conflicts.
var leftovers = sets.New("kubectl-client-side-apply", "kubectl-create", "kubectl-replace", "before-first-apply")

// autoscaler is who sets replicas for a HorizontalPodAutoscaler, through the scale subresource.
const autoscaler = "kube-controller-manager (scale)"

// freshKindWait bounds how long a kind whose CRD was just established may still answer 404.
const freshKindWait = 15 * time.Second

// applied is what the server says after an apply.
type applied struct {
	created bool
	meta    *metav1.PartialObjectMetadata
	note    string // what a person should know: replicas left to the autoscaler
}

// serverSideApply sends the object at index i, once; conflicts with kubectl's leftovers and with an autoscaler
// are settled and the apply repeated.
func (c *Cluster) serverSideApply(ctx context.Context, p *prepared, i int) (applied, error) {
	o, k, body := p.objects[i], p.kind[i], p.body[i]
	var out applied
	adopted, moved, force := false, false, p.set.Force
	for {
		a, err := c.patchApply(ctx, p, i, body, force, false)
		if isOtherVersion(err) && !moved {
			moved = true
			if err := c.moveRecord(ctx, o, k); err != nil {
				return out, err
			}
			continue
		}
		var conflict *ConflictError
		if errors.As(explain(err, o.Ref(), o.isSecret()), &conflict) {
			switch rest := withoutLeftovers(conflict.Manager); {
			case len(rest) == 0 && !adopted:
				adopted = true
				if err := c.adopt(ctx, o, k); err != nil {
					return out, err
				}
				continue
			case !force && p.set.takesBack(o.Ref(), conflict.Fields):
				force = true
				continue
			case len(rest) == 1 && rest[0] == autoscaler && slices.Equal(conflict.Fields, []string{".spec.replicas"}) && out.note == "":
				out.note = "replicas are left to the autoscaler"
				if body, err = withoutReplicas(o); err != nil {
					return out, err
				}
				continue
			}
			return out, conflict
		}
		if err != nil {
			return out, c.refusal(o, err)
		}
		out.created = out.created || a.created
		out.meta = &metav1.PartialObjectMetadata{}
		if err := json.Unmarshal(a.body, out.meta); err != nil {
			return out, fmt.Errorf("read the server's answer for %s: not an object", o.Ref())
		}
		if adopted || !hasLeftovers(out.meta.ManagedFields) {
			return out, nil
		}
		adopted = true
		if err := c.adopt(ctx, o, k); err != nil {
			return out, err
		}
	}
}

// patchApply sends one apply. A kind that the set itself has just defined may not be served at once.
func (c *Cluster) patchApply(ctx context.Context, p *prepared, i int, body []byte, force, dryRun bool) (answer, error) {
	o, k := p.objects[i], p.kind[i]
	if o.unknown {
		return answer{}, errUnknownObject(o)
	}
	r := request{verb: http.MethodPatch, media: types.ApplyPatchType, accept: acceptMetadata, body: body,
		path:   k.object(o.GetNamespace(), url.PathEscape(o.GetName())),
		params: map[string]string{"fieldManager": manager, "fieldValidation": "Strict", "force": fmt.Sprint(force)}}
	if dryRun {
		r.params["dryRun"], r.accept = "All", acceptObject
	}
	deadline := time.Now().Add(freshKindWait)
	for {
		a, err := c.send(ctx, r)
		if !k.fresh || !apierrors.IsNotFound(err) || time.Now().After(deadline) || strings.Contains(err.Error(), "namespaces ") {
			return a, err
		}
		select {
		case <-ctx.Done():
			return a, context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// adopt merges what kubectl recorded on the object into our own record.
func (c *Cluster) adopt(ctx context.Context, o Object, k kind) error {
	path := k.object(o.GetNamespace(), url.PathEscape(o.GetName()))
	for try := 1; ; try++ {
		m, err := c.metadata(ctx, path)
		if err != nil {
			return c.refusal(o, err)
		}
		patch, err := csaupgrade.UpgradeManagedFieldsPatch(m, leftovers, manager)
		if err != nil || patch == nil {
			return err
		}
		_, err = c.send(ctx, request{verb: http.MethodPatch, media: types.JSONPatchType, accept: acceptMetadata, path: path,
			body: patch, params: map[string]string{"fieldManager": manager}})
		if err == nil {
			return nil
		}
		if try == 3 || !apierrors.IsConflict(err) {
			return c.refusal(o, err)
		}
	}
}

func hasLeftovers(entries []metav1.ManagedFieldsEntry) bool {
	return slices.ContainsFunc(entries, func(e metav1.ManagedFieldsEntry) bool {
		return leftovers.Has(e.Manager) && e.Operation == metav1.ManagedFieldsOperationUpdate && e.Subresource == ""
	})
}

func withoutLeftovers(managers string) []string {
	var rest []string
	for _, m := range strings.Split(managers, ", ") {
		if !leftovers.Has(m) {
			rest = append(rest, m)
		}
	}
	return rest
}

func withoutReplicas(o Object) ([]byte, error) {
	u := o.DeepCopy()
	if spec, ok := u.Object["spec"].(map[string]any); ok {
		delete(spec, "replicas")
	}
	return json.Marshal(u.Object)
}

// refusal explains the server's answer about an object, with the lines of the fields it names.
func (c *Cluster) refusal(o Object, err error) error {
	err = c.wrap(explain(err, o.Ref(), o.isSecret()))
	var invalid *InvalidError
	if errors.As(err, &invalid) {
		invalid.File, invalid.Line = o.File, o.Line
		for i, f := range invalid.Fields {
			invalid.Fields[i].Line = o.lineOf(splitField(f.Path))
		}
	}
	return err
}

// splitField takes spec.ports[0].port apart, as the server writes it.
func splitField(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
}
