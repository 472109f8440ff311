# METADATA
# title: A token of the API server in every container
# description: >-
#   A pod mounts its service account's token though it may need none: automountServiceAccountToken is true, or is not
#   set, neither in the pod nor in the service account that the cluster holds. A ServiceAccount that does not turn it off is
#   found, too.
# custom:
#   id: kubernetes.service_account_token
#   effect: warn
#   remedy: Set automountServiceAccountToken to false, and to true in the pods that call the API server.
#   settings:
#     service_accounts: []
#     unset: same
#     existing: true
#   help:
#     service_accounts: Names of service accounts whose tokens may be mounted, as `NAMESPACE/NAME`; `*` stands for anything.
#     unset: The effect where a pod leaves it to its service account, which is not known to turn it off.
#     existing: Say it, too, of what the object in the cluster has already. With `false` only what is new is said.
package mooring.pack.kubernetes.service_account_token

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

problems(object_) := {problem |
	pod := objects.pod(object_)
	not meant(object_, account(pod))
	problem := in_pod(object_, pod, object.get(pod, "automountServiceAccountToken", null))
} | {{"subject": objects.reference(object_), "msg": "its token is mounted into every pod that does not say otherwise"} |
	object_.kind == "ServiceAccount"
	object_.apiVersion == "v1"
	not meant(object_, objects.name(object_))
	object.get(object_, "automountServiceAccountToken", true) != false
}

in_pod(object_, _, true) := {"subject": objects.reference(object_), "msg": "mounts the token of its service account"}

in_pod(object_, pod, null) := {"subject": objects.reference(object_), "sure": "unset", "msg": "leaves it to its service account whether the token is mounted"} if {
	key := sprintf("v1/ServiceAccount/%s/%s", [objects.namespace(object_), account(pod)])
	not data.mooring.live[key].automountServiceAccountToken == false
}

account(pod) := name if {
	some field in ["serviceAccountName", "serviceAccount"]
	name := objects.text(pod, [field])
	name != ""
} else := "default"

meant(object_, name) if {
	some pattern in settings.service_accounts
	glob.match(pattern, null, sprintf("%s/%s", [objects.namespace(object_), name]))
}
