# METADATA
# title: An image that may be another tomorrow
# description: A container's image has no tag, or one that is meant to move. An image with a digest is fine.
# custom:
#   id: kubernetes.image_tag
#   effect: warn
#   remedy: Name a version, or better a digest.
#   settings:
#     tags: [latest]
#     digests: false
#     existing: true
#   help:
#     tags: Tags that may not be used; `*` stands for anything.
#     digests: Ask for a digest everywhere.
#     existing: Say it, too, of what the object in the cluster has already. With `false` only what is new is said.
package mooring.pack.kubernetes.image_tag

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

problems(object_) := {{"subject": objects.reference(object_), "msg": sprintf("%s: %s", [one.what, why])} |
	some one in objects.containers(objects.pod(object_))
	why := reason(objects.text(one.container, ["image"]))
}

reason("") := "has no image"

reason(image) := sprintf("image %q has no digest", [image]) if {
	image != ""
	settings.digests
	not contains(image, "@")
}

reason(image) := sprintf("image %q has no tag", [image]) if {
	image != ""
	not settings.digests
	not contains(image, "@")
	not tag(image)
}

reason(image) := sprintf("image %q has a tag that moves", [image]) if {
	not settings.digests
	not contains(image, "@")
	some moving in settings.tags
	glob.match(moving, null, tag(image))
}

# tag is what stands behind the colon of the last part: the one before it is a registry's port.
tag(image) := parts[1] if {
	path := split(image, "/")
	parts := split(path[count(path) - 1], ":")
	count(parts) == 2
	parts[1] != ""
}
