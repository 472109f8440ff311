# METADATA
# title: A container with the node's rights
# description: >-
#   A container is privileged, is a HostProcess container of Windows, or adds a capability that is as good as root on the
#   node. Init and ephemeral containers count.
# custom:
#   id: kubernetes.privileged
#   effect: ask
#   remedy: Leave privileged out, and add the one capability that is needed.
#   settings:
#     capabilities: [ALL, BPF, DAC_READ_SEARCH, NET_ADMIN, NET_RAW, SYS_ADMIN, SYS_MODULE, SYS_PTRACE, SYS_RAWIO]
#     existing: true
#   help:
#     capabilities: Capabilities that may not be added.
#     existing: Say it, too, of what the object in the cluster has already. With `false` only what is new is said.
package mooring.pack.kubernetes.privileged

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

problems(object_) := {{"subject": objects.reference(object_), "msg": sprintf("%s %s", [one.what, why])} |
	some one in objects.containers(objects.pod(object_))
	some why in reasons(object.get(one.container, "securityContext", {}))
} | {{"subject": objects.reference(object_), "msg": "the pod runs as a HostProcess of Windows"} |
	objects.pod(object_).securityContext.windowsOptions.hostProcess == true
}

reasons(context) := ({"is privileged" | context.privileged == true} | {"runs as a HostProcess of Windows" | context.windowsOptions.hostProcess == true}) | {sprintf("adds the capability %s", [capability]) |
	some capability in objects.strings(context.capabilities.add)
	trim_prefix(upper(capability), "CAP_") in {upper(one) | some one in settings.capabilities}
}
