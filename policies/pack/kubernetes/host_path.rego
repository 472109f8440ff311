# METADATA
# title: A directory of the node
# description: A pod, or a PersistentVolume, mounts a directory of the node it runs on.
# custom:
#   id: kubernetes.host_path
#   effect: ask
#   remedy: Use a PersistentVolumeClaim, a projected volume or an emptyDir.
#   settings:
#     paths: []
#     existing: true
#   help:
#     paths: Directories that may be mounted, with all below them.
#     existing: Say it, too, of what the object in the cluster has already. With `false` only what is new is said.
package mooring.pack.kubernetes.host_path

import data.mooring.pack.lib
import data.mooring.pack.objects

rule := lib.rule(rego.metadata.chain())

settings := lib.settings(rego.metadata.chain())

deny contains found if some found in lib.faults(rego.metadata.chain())

deny contains found if {
	count(findings) > 0
	"deny" in rule.effects
	some found in lib.said(rule, findings, "deny")
}

ask contains found if {
	count(findings) > 0
	"ask" in rule.effects
	some found in lib.said(rule, findings, "ask")
}

warn contains found if {
	count(findings) > 0
	"warn" in rule.effects
	some found in lib.said(rule, findings, "warn")
}

findings := problems(input) - known

known := problems(objects.live) if {
	not settings.existing
} else := set()

problems(object_) := {{"subject": objects.reference(object_), "msg": sprintf("mounts %s of the node", [path])} |
	some path in paths(object_)
	not allowed(path)
}

paths(object_) := {sprintf("%v", [path]) |
	some volume in objects.list(object.get(objects.pod(object_), "volumes", null))
	is_object(volume.hostPath)
	path := object.get(volume.hostPath, "path", "an unnamed directory")
} | {sprintf("%v", [path]) |
	object_.kind == "PersistentVolume"
	is_object(object_.spec.hostPath)
	path := object.get(object_.spec.hostPath, "path", "an unnamed directory")
}

allowed(path) if {
	some directory in settings.paths
	below(path, trim_right(directory, "/"))
	not ".." in split(path, "/")
}

below(path, directory) if path == directory

below(path, directory) if startswith(path, concat("", [directory, "/"]))
