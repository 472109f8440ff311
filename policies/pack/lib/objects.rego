# METADATA
# title: Reading objects of Kubernetes
# description: >-
#   One object is the input; what the cluster holds of it is data.mooring.live. Deletions come in an input of kind
#   ChangeSet.
package mooring.pack.objects

# reference is how people call an object, as Mooring's reports do.
reference(object_) := sprintf("%s %s %s", [object.get(object_, "apiVersion", "?"), object.get(object_, "kind", "?"), place(object_)])

place(object_) := sprintf("%s/%s", [namespace(object_), name(object_)]) if {
	namespace(object_) != ""
} else := name(object_)

namespace(object_) := text(object_, ["metadata", "namespace"])

name(object_) := text(object_, ["metadata", "name"]) if {
	text(object_, ["metadata", "name"]) != ""
} else := text(object_, ["metadata", "generateName"])

text(object_, path) := value if {
	value := object.get(object_, path, "")
	is_string(value)
} else := ""

# group is the API group of an object, "" for the core.
group(object_) := split(text(object_, ["apiVersion"]), "/")[0] if {
	contains(text(object_, ["apiVersion"]), "/")
} else := ""

# live is the object in the cluster, if there is one.
live := data.mooring.live[sprintf("%s/%s/%s/%s", [input.apiVersion, input.kind, namespace(input), name(input)])]

# pod is the specification of the pods that an object makes: of Pod, Deployment, StatefulSet, DaemonSet, ReplicaSet, Job,
# CronJob, PodTemplate, and of kinds of operators that have a template in the same places.
pod(object_) := object_.spec if {
	object_.kind == "Pod"
} else := object_.spec.jobTemplate.spec.template.spec if {
	is_object(object_.spec.jobTemplate.spec.template.spec)
} else := object_.spec.template.spec if {
	is_object(object_.spec.template.spec)
} else := object_.template.spec

# containers are all of a pod, those that run before it and those for debugging included.
containers(spec) := [{"container": container, "what": sprintf("%s %q", [what, text(container, ["name"])])} |
	some field, what in {"containers": "container", "initContainers": "init container", "ephemeralContainers": "ephemeral container"}
	some container in list(object.get(spec, field, null))
]

list(value) := value if {
	is_array(value)
} else := []

strings(value) := [s | some s in list(value); is_string(s)]

# changes are those of a change set.
changes := list(input.changes) if {
	input.apiVersion == "mooring/v1"
	input.kind == "ChangeSet"
} else := []

# Verbs that leave the object where it is. A verb that is not among them counts as one that deletes.
sparing := {"apply", "configure", "create", "forget", "keep", "refuse", "skip", "unchanged", "verify"}

deleted := [change |
	some change in changes
	not object.get(change, "verb", "?") in sparing
]

# target is what a change is about: the object in the cluster, else the one to be, else what the reference tells.
target(change) := change.live if {
	is_object(change.live)
} else := change.object if {
	is_object(change.object)
} else := {"apiVersion": words[0], "kind": words[1], "metadata": {"namespace": concat("/", array.slice(place_, 0, count(place_) - 1)), "name": place_[count(place_) - 1]}} if {
	words := split(change.ref, " ")
	place_ := split(words[2], "/")
} else := {}
