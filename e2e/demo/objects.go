package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

var (
	namespaces  = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	configMaps  = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	services    = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
)

// objects reads what is really in the cluster, past Mooring.
type objects struct{ client dynamic.Interface }

func newObjects(kubeconfig, clusterContext string) (*objects, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: kubeconfig},
		&clientcmd.ConfigOverrides{CurrentContext: clusterContext}).ClientConfig()
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &objects{client}, nil
}

// personalKubeconfig writes one context of the person's kubeconfig, and nothing else of it, to a file of the demo's own.
func personalKubeconfig(name, file string) error {
	config, err := clientcmd.NewDefaultClientConfigLoadingRules().Load()
	if err != nil {
		return err
	}
	if config.Contexts[name] == nil {
		var known []string
		for k := range config.Contexts {
			known = append(known, k)
		}
		slices.Sort(known)
		return fmt.Errorf("there is no such context; there are: %s", strings.Join(known, ", "))
	}
	config.CurrentContext = name
	if err := clientcmdapi.MinifyConfig(config); err != nil {
		return err
	}
	if err := clientcmdapi.FlattenConfig(config); err != nil { // certificates into the file
		return err
	}
	return clientcmd.WriteToFile(*config, file) // 0600
}

// claimNamespace makes sure that a cluster of the person's own has nothing of this name, and gives it back so.
func (st *stage) claimNamespace() {
	if st.settings.context == "" {
		return
	}
	of := st.objects.client.Resource(namespaces)
	_, err := of.Get(st.ctx, namespace, metav1.GetOptions{})
	if err == nil {
		st.fail("your cluster has a namespace %s already; the demo does not touch it. Remove it first if it is left from an earlier demo", namespace)
	}
	if !apierrors.IsNotFound(err) {
		st.must(err, "look for the namespace "+namespace)
	}
	st.later(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // st.ctx may be over
		defer cancel()
		if err := of.Delete(ctx, namespace, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("remove the namespace %s from your cluster: %w", namespace, err)
		}
		return nil
	})
}

// showObjects prints the live objects and returns the database host that the ConfigMap has.
func (st *stage) showObjects() string {
	config := st.get(configMaps, "shop")
	web := st.get(deployments, "web")
	service := st.get(services, "web")
	host := text(config, "data", "DB_HOST")
	st.post("Live, asked from the API server itself:", strings.Join([]string{
		"ConfigMap  shop  DB_HOST=" + host,
		fmt.Sprintf("Deployment web   %s of %s Pods available, annotation shop.example.com/db-host=%s",
			text(web, "status", "availableReplicas"), text(web, "spec", "replicas"),
			text(web, "spec", "template", "metadata", "annotations", "shop.example.com/db-host")),
		"Service    web   " + text(service, "spec", "clusterIP"),
	}, "\n"))
	return host
}

func (st *stage) get(resource schema.GroupVersionResource, name string) *unstructured.Unstructured {
	o, err := st.objects.client.Resource(resource).Namespace(namespace).Get(st.ctx, name, metav1.GetOptions{})
	st.must(err, "get "+resource.Resource+" "+name)
	return o
}

// text is a field of an object as text, "0" for a number that is not there.
func text(o *unstructured.Unstructured, path ...string) string {
	v, found, err := unstructured.NestedFieldNoCopy(o.Object, path...)
	if err != nil || !found {
		return "0"
	}
	return fmt.Sprint(v)
}
