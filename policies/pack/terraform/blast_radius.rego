# METADATA
# title: Much changes at once
# description: >-
#   More resources are changed, or destroyed, than one change should touch, or too large a share of those that exist. What
#   is made anew does not count. A replacement counts as destroyed and as changed; so does an action that Mooring does not know.
# custom:
#   id: terraform.blast_radius
#   effect: ask
#   remedy: Split the change, or have somebody say yes to all of it.
#   settings:
#     changed: 50
#     destroyed: 10
#     share: 0.5
#     existing: 10
#   help:
#     changed: So many existing resources may be changed or destroyed.
#     destroyed: So many may be destroyed or replaced.
#     share: Such a share of the existing resources may be changed or destroyed, from 0 to 1.
#     existing: The share is looked at only where at least so many resources exist.
package mooring.pack.terraform.blast_radius

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

# Deposed objects are what earlier replacements left, not resources of their own.
existing := count([1 |
	some rc in plan.managed
	not rc.deposed
	rc.change.before != null
])

destroyed := count([1 | some rc in plan.gone; not rc.deposed])

changed := destroyed + count([1 |
	some rc in plan.written
	not plan.destroys(rc.change)
	rc.change.before != null
])

findings contains {"subject": "plan", "msg": sprintf("destroys or replaces %d resources, more than %v", [destroyed, settings.destroyed])} if {
	destroyed > settings.destroyed
}

findings contains {"subject": "plan", "msg": sprintf("changes or destroys %d resources, more than %v", [changed, settings.changed])} if {
	changed > settings.changed
}

findings contains {"subject": "plan", "msg": sprintf("changes or destroys %d of %d resources, more than %v%%", [changed, existing, round(settings.share * 100)])} if {
	existing >= settings.existing
	changed > settings.share * existing
}
