# METADATA
# title: Data is destroyed
# description: >-
#   A database, volume, bucket, state store, key, registry or DNS zone is destroyed, or replaced by an empty one. An action
#   that Mooring does not know counts as one that destroys. What leaves the state without being destroyed is not said.
# custom:
#   id: terraform.stateful
#   effect: ask
#   remedy: Keep the resource, or have somebody who knows its data say yes. A resource that only moves needs a `moved` block.
#   settings:
#     types: []
#     ignore_types: []
#   help:
#     types: Types of resources that hold data, beside those that are listed below.
#     ignore_types: Types of resources that are listed below and hold nothing worth keeping here.
package mooring.pack.terraform.stateful

import data.mooring.pack.lib
import data.mooring.pack.plan

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

findings contains {"subject": plan.subject(rc), "msg": sprintf("%s a %s", [verb(rc), kind])} if {
	some rc in plan.gone
	kind := held[rc.type]
}

verb(rc) := "replaces" if {
	plan.replaces(rc.change)
} else := "destroys" if {
	rc.change.actions == ["delete"]
} else := "does something unknown to"

# held says what each type holds, as this server sees it.
held := object.remove(object.union({own: "resource that holds data" | some own in settings.types}, kinds), settings.ignore_types)
