# METADATA
# title: No limits
# description: >-
#   A container, or an init container, may use as much of the node as there is. Limits of the pod as a whole count.
#   What a LimitRange of the namespace adds is not known here.
# custom:
#   id: kubernetes.limits
#   effect: warn
#   remedy: Set resources.limits.
#   settings:
#     limits: [cpu, memory]
#     requests: []
#     existing: true
#   help:
#     limits: Resources that need a limit.
#     requests: Resources that need a request.
#     existing: Say it, too, of what the object in the cluster has already. With `false` only what is new is said.
package mooring.pack.kubernetes.limits

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

problems(object_) := {{"subject": objects.reference(object_), "msg": sprintf("%s has no %s", [one.what, concat(", ", missing)])} |
	pod := objects.pod(object_)
	some one in objects.containers(pod)
	not startswith(one.what, "ephemeral") # which cannot have any
	missing := lacks(one.container, pod)
	count(missing) > 0
}

lacks(container, pod) := array.concat(
	[sprintf("limit of %s", [name]) | some name in settings.limits; not has(container, pod, ["resources", "limits", name])],
	[sprintf("request of %s", [name]) | some name in settings.requests; not has(container, pod, ["resources", "requests", name])],
)

has(container, _, path) if not object.get(container, path, null) in {null, ""}

has(_, pod, path) if not object.get(pod, path, null) in {null, ""}
