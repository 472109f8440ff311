# METADATA
# title: A namespace of the node
# description: A pod shares the node's network, processes or interprocess communication.
# custom:
#   id: kubernetes.host_namespaces
#   effect: ask
#   remedy: Leave it out; a Service reaches a pod without the node's network.
#   settings:
#     namespaces: [hostNetwork, hostPID, hostIPC]
#     existing: true
#   help:
#     namespaces: Fields of the pod that may not be true.
#     existing: Say it, too, of what the object in the cluster has already. With `false` only what is new is said.
package mooring.pack.kubernetes.host_namespaces

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

problems(object_) := {{"subject": objects.reference(object_), "msg": sprintf("%s is true", [field])} |
	pod := objects.pod(object_)
	some field in settings.namespaces
	pod[field] == true
}
