// Package k8s takes Kubernetes manifests from a checkout to a cluster.
//
// An Object is one manifest, with the file and line it was written at. A Set is what one manifest path
// keeps in one cluster; its Inventory is the list of what it put there, a plain value that the caller keeps.
// A Cluster is a connection: its Plan says what would happen and changes nothing, its Apply makes the cluster
// look like the objects, waits until they are healthy, and prunes what the set no longer holds. Its Drift says what
// others have done to the set's objects since, and changes nothing either.
//
// Reading, deciding and acting are apart: Render turns files into objects and asks no cluster, the
// function Plan turns (desired, observed, inventory) into a list of actions and asks nobody, and one executor
// carries the list out.
package k8s
