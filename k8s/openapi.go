package k8s

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// schemasFor returns the schemas of each group version that the objects need, asking the server for those that
// are not cached or that it published anew. A server that publishes none (or forbids it) yields none: then
// the server's own refusal is the first to say what is wrong.
func (c *Cluster) schemasFor(ctx context.Context, objects []Object) map[schema.GroupVersion]*schemaDoc {
	c = c.base // schemas are the same for everybody
	docs := map[schema.GroupVersion]*schemaDoc{}
	var addresses map[string]string
	for _, o := range objects {
		gv := o.gvk().GroupVersion()
		if _, done := docs[gv]; done {
			continue
		}
		if addresses == nil {
			if addresses = c.schemaAddresses(ctx); addresses == nil {
				return docs
			}
		}
		docs[gv] = c.schemaDoc(ctx, gv, addresses[openAPIPath(gv)])
	}
	for _, o := range objects {
		if o.GetKind() == "CustomResourceDefinition" {
			addCRDSchemas(docs, o)
		}
	}
	return docs
}

func openAPIPath(gv schema.GroupVersion) string {
	if gv.Group == "" {
		return "api/" + gv.Version
	}
	return "apis/" + gv.String()
}

// schemaAddresses is where the server publishes each group version; the address holds a hash of the content.
func (c *Cluster) schemaAddresses(ctx context.Context) map[string]string {
	a, err := c.send(ctx, request{verb: http.MethodGet, path: "/openapi/v3", accept: acceptObject})
	if err != nil {
		return nil
	}
	var index struct {
		Paths map[string]struct {
			URL string `json:"serverRelativeURL"`
		} `json:"paths"`
	}
	if json.Unmarshal(a.body, &index) != nil {
		return nil
	}
	addresses := make(map[string]string, len(index.Paths))
	for p, v := range index.Paths {
		addresses[p] = v.URL
	}
	return addresses
}

// schemaDoc fetches one document, unless the cache holds it at the same address.
func (c *Cluster) schemaDoc(ctx context.Context, gv schema.GroupVersion, address string) *schemaDoc {
	if address == "" {
		return nil
	}
	c.mu.Lock()
	cached := c.schemas[address]
	c.mu.Unlock()
	if cached != nil {
		return cached
	}
	path, query, _ := strings.Cut(address, "?")
	params := map[string]string{}
	if values, err := url.ParseQuery(query); err == nil {
		for k := range values {
			params[k] = values.Get(k)
		}
	}
	a, err := c.send(ctx, request{verb: http.MethodGet, path: path, accept: acceptObject, params: params})
	if err != nil {
		return nil
	}
	doc, err := parseSchemas(a.body, gv.Group, gv.Version)
	if err != nil {
		return nil
	}
	c.mu.Lock()
	for old := range c.schemas {
		if strings.HasPrefix(old, path+"?") {
			delete(c.schemas, old)
		}
	}
	c.schemas[address] = doc
	c.mu.Unlock()
	return doc
}

// addCRDSchemas takes the schemas of custom resources from the CRD in the same set: it is what will hold when
// they are applied, whatever the server publishes now.
func addCRDSchemas(docs map[schema.GroupVersion]*schemaDoc, crd Object) {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	name, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	for _, v := range crdVersions(crd) {
		version, _, _ := unstructured.NestedString(v, "name")
		content, found, _ := unstructured.NestedMap(v, "schema", "openAPIV3Schema")
		if !found {
			continue
		}
		raw, err := json.Marshal(content)
		if err != nil {
			continue
		}
		var node schemaNode
		if json.Unmarshal(raw, &node) != nil {
			continue
		}
		delete(node.Properties, "metadata")
		gv := schema.GroupVersion{Group: group, Version: version}
		doc := &schemaDoc{schemas: map[string]*schemaNode{}, kinds: map[string]*schemaNode{}}
		if old := docs[gv]; old != nil {
			doc.schemas = old.schemas
			for k, s := range old.kinds {
				doc.kinds[k] = s
			}
		}
		doc.kinds[name] = &node
		docs[gv] = doc
	}
}
