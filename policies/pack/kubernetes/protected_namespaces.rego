# METADATA
# title: A namespace of the cluster's own
# description: An object is put into, or deleted from, a namespace that the cluster itself needs; or such a namespace is changed.
# custom:
#   id: kubernetes.protected_namespaces
#   effect: ask
#   remedy: Use a namespace of your own.
#   settings:
#     namespaces: [kube-system, kube-public, kube-node-lease]
#     existing: true
#   help:
#     namespaces: Names of the namespaces; `*` stands for anything.
#     existing: Say it, too, of what the object in the cluster has already. With `false` only what is new is said.
package mooring.pack.kubernetes.protected_namespaces

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

findings contains problem if some problem in (problems(input) - known)

known := problems(objects.live) if {
	not settings.existing
} else := set()

findings contains {"subject": objects.reference(target), "msg": sprintf("is deleted from the namespace %s", [namespace])} if {
	some change in objects.deleted
	target := objects.target(change)
	namespace := home(target)
	protected(namespace)
}

problems(object_) := {{"subject": objects.reference(object_), "msg": sprintf("is in the namespace %s", [namespace])} |
	namespace := home(object_)
	protected(namespace)
}

# home is the namespace of an object; that of a Namespace is itself.
home(object_) := objects.name(object_) if {
	object_.kind == "Namespace"
	objects.group(object_) == ""
} else := objects.namespace(object_)

protected(namespace) if {
	namespace != ""
	some pattern in settings.namespaces
	glob.match(pattern, null, namespace)
}
