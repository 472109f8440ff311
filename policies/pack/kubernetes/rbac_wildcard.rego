# METADATA
# title: Rights without a bound
# description: >-
#   A Role or ClusterRole allows every verb, every resource, every group or every URL, or a verb that gives more rights
#   than its owner has; or a binding gives an all-powerful role, or gives a role to everybody.
# custom:
#   id: kubernetes.rbac_wildcard
#   effect: ask
#   remedy: Name the verbs and the resources that are needed.
#   settings:
#     verbs: ["*", bind, escalate, impersonate]
#     roles: [cluster-admin]
#     subjects: ["system:anonymous", "system:unauthenticated", "system:authenticated", "system:serviceaccounts"]
#     existing: true
#   help:
#     verbs: Verbs that may not be allowed.
#     roles: Names of roles that may not be bound.
#     subjects: Users and groups that may not be given anything.
#     existing: Say it, too, of what the object in the cluster has already. With `false` only what is new is said.
package mooring.pack.kubernetes.rbac_wildcard

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

problems(object_) := {{"subject": objects.reference(object_), "msg": why} |
	objects.group(object_) == "rbac.authorization.k8s.io"
	some why in reasons(object_.kind, object_)
}

reasons("Role", object_) := too_much(object_)

reasons("ClusterRole", object_) := too_much(object_)

reasons("RoleBinding", object_) := bound(object_)

reasons("ClusterRoleBinding", object_) := bound(object_)

too_much(role) := {sprintf("allows the verb %q", [verb]) |
	some part in objects.list(object.get(role, "rules", null))
	some verb in objects.strings(object.get(part, "verbs", null))
	verb in settings.verbs
} | {sprintf("allows all %s", [field]) |
	some part in objects.list(object.get(role, "rules", null))
	some field in ["resources", "apiGroups", "nonResourceURLs"]
	"*" in objects.strings(object.get(part, field, null))
}

bound(binding) := {sprintf("gives the role %s", [name]) |
	name := binding.roleRef.name
	name in settings.roles
} | {sprintf("gives a role to %s", [name]) |
	some subject in objects.list(object.get(binding, "subjects", null))
	object.get(subject, "kind", "") in {"User", "Group"}
	name := subject.name
	name in settings.subjects
}
