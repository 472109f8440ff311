package k8s

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
)

const (
	// manager is the name under which the cluster records which fields are ours.
	manager = "mooring"
	// requestTimeout bounds one request and its answer.
	requestTimeout = 60 * time.Second
	// tries and firstPause bound how long a temporary refusal is waited out: about 6 s in all.
	tries      = 6
	firstPause = 200 * time.Millisecond

	acceptMetadata = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
	acceptList     = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
	acceptObject   = "application/json"
)

// request is one call to the API server.
type request struct {
	verb   string // GET, PATCH, DELETE
	path   string
	accept string
	params map[string]string
	media  types.PatchType
	body   []byte
}

// answer is what came back.
type answer struct {
	created bool // 201
	body    []byte
}

// send does one request, and again after a pause when the refusal is temporary. Every request sent through here
// may be repeated safely: reads, server-side applies, patches and deletes with a precondition.
func (c *Cluster) send(ctx context.Context, r request) (answer, error) {
	for try := 1; ; try++ {
		a, err := c.once(ctx, r)
		if err == nil || try == tries || ctx.Err() != nil || !temporary(err) {
			return a, err
		}
		pause := firstPause << (try - 1)
		pause = pause/2 + rand.N(pause/2+1)
		select {
		case <-ctx.Done():
			return a, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

func (c *Cluster) once(ctx context.Context, r request) (answer, error) {
	ctx, cancel := context.WithTimeout(quiet(ctx), requestTimeout)
	defer cancel()
	req := c.rest.Verb(r.verb)
	if r.verb == http.MethodPatch {
		req = c.rest.Patch(r.media)
	}
	// The library waits as long as a 429 asks for, within the request's own time.
	req = req.AbsPath(r.path).MaxRetries(3).SetHeader("Accept", r.accept)
	for k, v := range r.params {
		req = req.Param(k, v)
	}
	if r.body != nil {
		req = req.Body(r.body)
	}
	result := req.Do(ctx)
	if err := result.Error(); err != nil {
		return answer{}, err
	}
	var code int
	result.StatusCode(&code)
	body, err := result.Raw()
	return answer{created: code == http.StatusCreated, body: body}, err
}

// quiet keeps the client library from printing what it returns as errors anyway.
func quiet(ctx context.Context) context.Context { return klog.NewContext(ctx, logr.Discard()) }

// metadata reads the metadata of one object.
func (c *Cluster) metadata(ctx context.Context, path string) (*metav1.PartialObjectMetadata, error) {
	a, err := c.send(ctx, request{verb: http.MethodGet, path: path, accept: acceptMetadata})
	if err != nil {
		return nil, err
	}
	m := &metav1.PartialObjectMetadata{}
	return m, json.Unmarshal(a.body, m)
}

// kind is a resource of the API: where objects of one group, version and kind are kept.
type kind struct {
	group, version, kind, resource string
	namespaced                     bool
	verbs                          []string
	fresh                          bool // a CRD of the same set defines it; the server may not serve it yet
}

// collection is the address of all objects of the kind, or of those in one namespace.
func (k kind) collection(namespace string) string {
	var b strings.Builder
	if k.group == "" {
		b.WriteString("/api/" + k.version)
	} else {
		b.WriteString("/apis/" + k.group + "/" + k.version)
	}
	if k.namespaced && namespace != "" {
		b.WriteString("/namespaces/" + namespace)
	}
	return b.String() + "/" + k.resource
}

// address is where one object is.
func (k kind) address(id ID) string { return k.object(id.Namespace, url.PathEscape(id.Name)) }

// object is the address of one object.
func (k kind) object(namespace, name string) string { return k.collection(namespace) + "/" + name }
