# METADATA
# title: Data is deleted
# description: >-
#   A claim, a volume, a snapshot, a namespace or a definition of custom resources is deleted, pruned or made again, and the
#   data in it, or the objects of it, go with it. A StatefulSet counts where it deletes its claims. A verb that the rule does
#   not know counts as one that deletes. It is asked of the change set, so it needs the cluster.
# custom:
#   id: kubernetes.stateful
#   effect: ask
#   remedy: Keep the object, annotated with mooring.dev/prune, or have somebody who knows its data say yes.
#   settings:
#     kinds: [PersistentVolumeClaim, PersistentVolume, VolumeSnapshot.snapshot.storage.k8s.io, Namespace, CustomResourceDefinition.apiextensions.k8s.io]
#     ignore_kinds: []
#   help:
#     kinds: Kinds that hold data, as `Kind` or `Kind.group`. Add those of your operators.
#     ignore_kinds: Kinds of the list above that hold nothing worth keeping here.
package mooring.pack.kubernetes.stateful

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

findings contains {"subject": objects.reference(target), "msg": sprintf("%s a %s", [verb(change), target.kind])} if {
	some change in objects.deleted
	target := objects.target(change)
	holds(target)
}

verb(change) := object.get({"delete": "deletes", "prune": "prunes", "recreate": "deletes and makes again"}, object.get(change, "verb", "?"), "does something unknown to")

kinds := {kind | some kind in settings.kinds; not kind in settings.ignore_kinds}

holds(target) if target.kind in kinds

holds(target) if sprintf("%s.%s", [target.kind, objects.group(target)]) in kinds

holds(target) if {
	target.kind == "StatefulSet"
	target.spec.persistentVolumeClaimRetentionPolicy.whenDeleted == "Delete"
}

# What is deleted has a kind, or nobody knows what it holds.
findings contains {"subject": object.get(change, "ref", "an object"), "msg": "is deleted, and its kind is not known"} if {
	some change in objects.deleted
	not objects.target(change).kind
}
