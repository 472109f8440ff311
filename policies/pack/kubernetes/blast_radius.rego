# METADATA
# title: Much changes at once
# description: >-
#   More objects of a set are changed, or deleted, than one change should touch, or too large a share of those that are in
#   the cluster. What is made anew does not count; what is made again counts as deleted and as changed.
# custom:
#   id: kubernetes.blast_radius
#   effect: ask
#   remedy: Split the change, or have somebody say yes to all of it.
#   settings:
#     changed: 100
#     deleted: 20
#     share: 0.5
#     existing: 10
#   help:
#     changed: So many existing objects may be changed or deleted.
#     deleted: So many may be deleted, pruned or made again.
#     share: Such a share of the set's objects in the cluster may be deleted, pruned or made again, from 0 to 1.
#     existing: The share is looked at only where at least so many objects exist.
package mooring.pack.kubernetes.blast_radius

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

deleted := count(objects.deleted)

changed := deleted + count([1 | some change in objects.changes; change.verb == "configure"])

existing := count(data.mooring.live) if is_object(data.mooring.live)

name := sprintf("set %s", [objects.name(input)])

findings contains {"subject": name, "msg": sprintf("deletes %d objects, more than %v", [deleted, settings.deleted])} if {
	deleted > settings.deleted
}

findings contains {"subject": name, "msg": sprintf("changes or deletes %d objects, more than %v", [changed, settings.changed])} if {
	changed > settings.changed
}

findings contains {"subject": name, "msg": sprintf("deletes %d of %d objects, more than %v%%", [deleted, existing, round(settings.share * 100)])} if {
	existing >= settings.existing
	deleted > settings.share * existing
}
