# Package given holds what the tests of the rules are given.
package mooring.pack.given

change(address, actions, before, after, unknown) := {
	"address": address,
	"mode": "managed",
	"type": split(address, ".")[0],
	"name": split(address, ".")[1],
	"change": {"actions": actions, "before": before, "after": after, "after_unknown": unknown},
}

made(address, after) := change(address, ["create"], null, after, {})

# dark is made of values that are known and values that are not.
dark(address, after, unknown) := change(address, ["create"], null, after, unknown)

gone(address) := change(address, ["delete"], {"id": "x"}, null, {})

replaced(address) := change(address, ["delete", "create"], {"id": "x"}, {"id": "x"}, {})

updated(address, after) := change(address, ["update"], {"id": "x"}, after, {})

still(address) := change(address, ["no-op"], {"id": "x"}, {"id": "x"}, {})

# plan is one whose configuration writes these attributes of each resource.
plan(changes, attributes) := {
	"format_version": "1.2",
	"resource_changes": changes,
	"configuration": {"root_module": {"resources": [{
		"address": sprintf("%s.%s", [rc.type, rc.name]),
		"expressions": {attribute: {} | some attribute in attributes},
	} |
		some rc in changes
	]}},
}

said(found) := {f.msg | some f in found}

thing(apiVersion, kind, name, rest) := object.union({"apiVersion": apiVersion, "kind": kind, "metadata": {"name": name, "namespace": "shop"}}, rest)

# in_pod gives the pod as every kind of workload has it.
in_pod(spec) := {
	thing("v1", "Pod", "web", {"spec": spec}),
	thing("apps/v1", "Deployment", "web", {"spec": {"template": {"spec": spec}}}),
	thing("apps/v1", "StatefulSet", "web", {"spec": {"template": {"spec": spec}}}),
	thing("apps/v1", "DaemonSet", "web", {"spec": {"template": {"spec": spec}}}),
	thing("apps/v1", "ReplicaSet", "web", {"spec": {"template": {"spec": spec}}}),
	thing("batch/v1", "Job", "web", {"spec": {"template": {"spec": spec}}}),
	thing("batch/v1", "CronJob", "web", {"spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}}}),
	thing("v1", "PodTemplate", "web", {"template": {"spec": spec}}),
	thing("argoproj.io/v1alpha1", "Rollout", "web", {"spec": {"template": {"spec": spec}}}),
}

pod(spec) := thing("v1", "Pod", "web", {"spec": spec})

set(changes) := {"apiVersion": "mooring/v1", "kind": "ChangeSet", "metadata": {"name": "shop"}, "changes": changes}
