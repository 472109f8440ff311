package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	nodeName     = "node-1"
	pollInterval = 20 * time.Millisecond
)

// afterAPIServer delays a component until the API server answers /readyz, before which it would back off for a second.
func afterAPIServer(kubeconfig string, run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		clients, err := client(kubeconfig)
		if err != nil {
			return err
		}
		if err := waitAPIServer(ctx, clients); err != nil {
			return err
		}
		return run(ctx)
	}
}

// waitReady returns when the cluster can be used: the API server is ready, a namespace has its default service account,
// and, unless only the API was asked for, the simulated node is Ready and takes Pods.
func waitReady(ctx context.Context, o options, kubeconfig string) error {
	clients, err := client(kubeconfig)
	if err != nil {
		return err
	}
	if err := waitAPIServer(ctx, clients); err != nil {
		return err
	}
	if !o.onlyAPI {
		if err := createNode(ctx, clients); err != nil {
			return err
		}
		err := poll(ctx, "the simulated node to be Ready", func() (bool, error) { return nodeReady(ctx, clients) })
		if err != nil {
			return err
		}
	}
	return poll(ctx, "the controllers to make the default service account", func() (bool, error) {
		_, err := clients.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err == nil, err
	})
}

func waitAPIServer(ctx context.Context, clients kubernetes.Interface) error {
	return poll(ctx, "the API server to be ready", func() (bool, error) {
		_, err := clients.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		return err == nil, err
	})
}

// createNode makes the node that kwok plays. A cluster that is started again has it already.
func createNode(ctx context.Context, clients kubernetes.Interface) error {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name:        nodeName,
		Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"},
		Labels: map[string]string{
			"kubernetes.io/hostname": nodeName, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
		},
	}}
	_, err := clients.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create node: %w", err)
	}
	return nil
}

// nodeReady tells whether the scheduler may use the node: it is Ready and the controllers have taken its taints away.
func nodeReady(ctx context.Context, clients kubernetes.Interface) (bool, error) {
	node, err := clients.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
	if err != nil || len(node.Spec.Taints) > 0 {
		return false, err
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue, nil
		}
	}
	return false, nil
}

// poll asks again and again until done says yes or ctx ends; the error then holds the last one that done met.
func poll(ctx context.Context, what string, done func() (bool, error)) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w (last: %v)", what, ctx.Err(), err)
		}
	}
}
