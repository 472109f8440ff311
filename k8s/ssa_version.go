package k8s

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// otherVersion is what the server says when our record of an object's fields is in a version of its kind that does not
// have a field we send in another one: a CRD without conversion has got a new version. It says so for ever, and as an
// internal error.
const otherVersion = "failed to convert merged object to last applied version"

func isOtherVersion(err error) bool { return err != nil && strings.Contains(err.Error(), otherVersion) }

// moveRecord rewrites our record of an object's fields to the version that the object is written in now. The fields keep
// their names: else the CRD would have a conversion, and the server no complaint.
func (c *Cluster) moveRecord(ctx context.Context, o Object, k kind) error {
	path := k.address(o.ID())
	for try := 1; ; try++ {
		m, err := c.metadata(ctx, path)
		if err != nil {
			return c.refusal(o, err)
		}
		// The version of what was read is kept: a record that others change in the meantime is not overwritten.
		patch := []map[string]any{{"op": "test", "path": "/metadata/resourceVersion", "value": m.ResourceVersion}}
		for i, e := range m.ManagedFields {
			if e.Manager == manager && e.Operation == metav1.ManagedFieldsOperationApply && e.Subresource == "" {
				patch = append(patch, map[string]any{"op": "replace", "path": fmt.Sprintf("/metadata/managedFields/%d/apiVersion", i), "value": o.GetAPIVersion()})
			}
		}
		body, err := json.Marshal(patch)
		if err != nil {
			return err
		}
		_, err = c.send(ctx, request{verb: http.MethodPatch, media: types.JSONPatchType, accept: acceptMetadata, path: path,
			body: body, params: map[string]string{"fieldManager": manager}})
		if err == nil {
			return nil
		}
		if try == 3 || !apierrors.IsConflict(err) && !apierrors.IsInvalid(err) {
			return c.refusal(o, err)
		}
	}
}
