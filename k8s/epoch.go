package k8s

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// verifyEvery is how long what is recorded of a set may be believed: an hour, give or take a tenth so that not all sets of a
// server are verified at once.
const verifyEvery = time.Hour

// What decides how a server reads an object, beside its own version.
var epochKinds = []kind{
	{group: "apiextensions.k8s.io", version: "v1", kind: "CustomResourceDefinition", resource: "customresourcedefinitions"},
	{group: "admissionregistration.k8s.io", version: "v1", kind: "MutatingWebhookConfiguration", resource: "mutatingwebhookconfigurations"},
	{group: "admissionregistration.k8s.io", version: "v1", kind: "ValidatingWebhookConfiguration", resource: "validatingwebhookconfigurations"},
}

func groupsOf(items []Item) map[string]bool {
	groups := map[string]bool{}
	for _, item := range items {
		groups[item.Group] = true
	}
	return groups
}

// epoch is a short digest of the server's version, its webhooks and the CRDs of the groups in play. While it stays the
// same, what was applied once would be applied the same way again. Parts that may not be asked are left out.
func (c *Cluster) epoch(ctx context.Context, groups map[string]bool) (string, error) {
	c = c.base // it is the same for everybody
	version, err := c.version(ctx)
	if err != nil {
		return "", err
	}
	var lines []string
	for _, k := range epochKinds {
		all, err := c.definitions(ctx, k)
		if err != nil {
			return "", err
		}
		for id, live := range all {
			if _, group, _ := strings.Cut(id.Name, "."); id.Kind != "CustomResourceDefinition" || groups[group] {
				lines = append(lines, fmt.Sprintf("%s %s %s %d", id.Kind, id.Name, live.UID, live.Generation))
			}
		}
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(version + "\n" + strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:8]), nil
}

// definitions reads all objects of a kind, labelled or not; none where that is forbidden.
func (c *Cluster) definitions(ctx context.Context, k kind) (map[ID]Live, error) {
	every := func(ID, Live) bool { return true }
	if c.watches.on() {
		if all, err := c.definitionWatches.look(ctx, k, "", every); err == nil {
			return all, nil
		}
	}
	all := map[ID]Live{}
	params := map[string]string{"limit": "500"}
	for {
		a, err := c.send(ctx, request{verb: http.MethodGet, path: k.collection(""), accept: acceptList, params: params})
		switch {
		case apierrors.IsForbidden(err), apierrors.IsNotFound(err):
			return nil, nil
		case err != nil:
			return nil, c.wrap(explain(err, "list "+k.resource, false))
		}
		var page metav1.PartialObjectMetadataList
		if err := json.Unmarshal(a.body, &page); err != nil {
			return nil, errors.New("read the list of " + k.resource + ": not what was asked for")
		}
		for i := range page.Items {
			all[ID{Group: k.group, Kind: k.kind, Name: page.Items[i].Name}] = liveOf(&page.Items[i])
		}
		if page.Continue == "" {
			return all, nil
		}
		params["continue"] = page.Continue
	}
}

// version is the server's, asked once, and again when the watches have lost the server: an upgrade restarts it.
func (c *Cluster) version(ctx context.Context) (string, error) {
	c.mu.Lock()
	known := c.serverVersion
	c.mu.Unlock()
	if known != "" {
		return known, nil
	}
	a, err := c.send(ctx, request{verb: http.MethodGet, path: "/version", accept: acceptObject})
	if apierrors.IsForbidden(err) {
		return "?", nil
	}
	if err != nil {
		return "", c.wrap(explain(err, "the cluster's version", false))
	}
	var said struct {
		GitVersion string `json:"gitVersion"`
	}
	if err := json.Unmarshal(a.body, &said); err != nil {
		return "", errors.New("read the cluster's version: not what was asked for")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serverVersion = said.GitVersion
	return said.GitVersion, nil
}

// due tells whether everything of a set is to be asked again.
func (inv Inventory) due(set Set, epoch string, now time.Time) bool {
	if len(inv.Items) == 0 {
		return false // nothing is believed
	}
	h := fnv.New32a()
	h.Write([]byte(set.ID)) // never fails
	every := verifyEvery*9/10 + time.Duration(h.Sum32()%1000)*verifyEvery/5000
	return inv.Epoch != epoch || now.Sub(inv.Verified) >= every || now.Before(inv.Verified)
}
