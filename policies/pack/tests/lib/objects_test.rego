package mooring.pack.objects_test

import data.mooring.pack.objects

test_reference if {
	objects.reference({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "b"}}) == "v1 Pod b/a"
	objects.reference({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}}) == "v1 Node a"
	objects.reference({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "a-", "namespace": "b"}}) == "batch/v1 Job b/a-"
	objects.reference({"metadata": {"name": 1}}) == "? ? "
	objects.reference({}) == "? ? "
}

test_target if {
	objects.target({"ref": "v1 Pod b/a", "live": null, "object": null}) == {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "b"}}
	objects.target({"ref": "v1 Node a"}) == {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a", "namespace": ""}}
	objects.target({"ref": "v1 Node a", "object": {"kind": "X"}}) == {"kind": "X"}
	objects.target({"ref": "v1 Node a", "object": {"kind": "X"}, "live": {"kind": "Y"}}) == {"kind": "Y"}
	objects.target({"ref": "nonsense"}) == {}
	objects.target({}) == {}
}
