package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/mooring-iac/mooring/k8s"
)

// direct speaks to the API server with nothing in between.
func (a *applier) direct() (func(ctx context.Context, method, path string, body []byte) (io.ReadCloser, error), error) {
	config, err := clientcmd.BuildConfigFromFlags("", a.running.Kubeconfig)
	if err != nil {
		return nil, err
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, method, path string, body []byte) (io.ReadCloser, error) {
		req, err := http.NewRequestWithContext(ctx, method, a.running.URL+path, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode >= 300 {
			said, _ := io.ReadAll(resp.Body) // only makes the error say more
			resp.Body.Close()
			return nil, fmt.Errorf("%s %s: %s\n%s", method, path, resp.Status, said)
		}
		return resp.Body, nil
	}, nil
}

func (a *applier) namespace(ctx context.Context, name string) error {
	send, err := a.direct()
	if err != nil {
		return err
	}
	body, err := send(ctx, http.MethodPost, "/api/v1/namespaces", fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`, name))
	if err != nil {
		return err
	}
	return body.Close()
}

// collection is where the kinds of [manifests] are kept.
func collection(kind, ns string) string {
	switch kind {
	case "Deployment":
		return "/apis/apps/v1/namespaces/" + ns + "/deployments"
	case "Service":
		return "/api/v1/namespaces/" + ns + "/services"
	}
	return "/api/v1/namespaces/" + ns + "/configmaps"
}

// bare sends the same objects as creates, sixteen at once: the floor, since the server's own work is the same.
func (a *applier) bare(ctx context.Context, ns string) (time.Duration, error) {
	if err := a.namespace(ctx, ns); err != nil {
		return 0, err
	}
	send, err := a.direct()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	objects, err := k8s.Render(k8s.Source{Root: a.manifests.root, Path: manifestPath})
	if err != nil {
		return 0, err
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for _, o := range objects {
		group.Go(func() error {
			text, err := json.Marshal(o.Object)
			if err != nil {
				return err
			}
			body, err := send(gctx, http.MethodPost, collection(o.GetKind(), ns), text)
			if err != nil {
				return err
			}
			defer body.Close()
			_, err = io.Copy(io.Discard, body)
			return err
		})
	}
	err = group.Wait()
	took := time.Since(began)
	return took, errors.Join(err, a.settle(ctx, ns))
}

// deployment is what settle and ready look at.
type deployment struct {
	Metadata struct {
		Name       string `json:"name"`
		Generation int64  `json:"generation"`
	} `json:"metadata"`
	Status struct {
		ObservedGeneration int64 `json:"observedGeneration"`
		AvailableReplicas  int64 `json:"availableReplicas"`
	} `json:"status"`
}

// settle waits until the cluster's controllers have nothing left to do, so that no one's work is charged to the next.
func (a *applier) settle(ctx context.Context, ns string) error {
	if a.alone {
		return nil
	}
	send, err := a.direct()
	if err != nil {
		return err
	}
	for {
		body, err := send(ctx, http.MethodGet, collection("Deployment", ns), nil)
		if err != nil {
			return err
		}
		var list struct {
			Items []deployment `json:"items"`
		}
		err = json.NewDecoder(body).Decode(&list)
		body.Close()
		if err != nil {
			return err
		}
		busy := false
		for _, d := range list.Items {
			busy = busy || d.Status.ObservedGeneration < d.Metadata.Generation
		}
		if !busy {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
