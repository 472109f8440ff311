# METADATA
# title: Tags are missing
# description: >-
#   A resource of AWS or Azure that can have tags, or of Google that can have labels, lacks one of those that are required.
#   The rule says nothing until `tags` is set. A tag whose value is not known yet is there; an empty value is not a tag.
#   Tags from a provider's `default_tags` and `default_labels` count. Labels of Google are looked for in lower case.
# custom:
#   id: terraform.required_tags
#   effect: deny
#   remedy: Add the tags to the resource, or to the provider's default_tags.
#   settings:
#     tags: []
#     ignore_types: []
#     unknown: same
#   help:
#     tags: Names of the tags that every resource needs.
#     ignore_types: Types of resources that need none.
#     unknown: The effect where the plan does not tell the value before the apply, or it is sensitive; `same` as the rule's.
package mooring.pack.terraform.required_tags

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

findings contains {"subject": plan.subject(rc), "msg": sprintf("lacks the tags %s", [concat(", ", missing)])} if {
	some rc in taggable
	names := attributes(rc)
	not untold(rc, names)
	missing := [tag | some tag in settings.tags; not tagged(rc, names, spell(rc.type, tag))]
	count(missing) > 0
}

findings contains {"subject": plan.subject(rc), "sure": "unknown", "msg": "its tags are not known before the apply"} if {
	some rc in taggable
	names := attributes(rc)
	untold(rc, names)
	some tag in settings.tags
	not tagged(rc, names, spell(rc.type, tag))
}

# Nothing is looked at while no tags are required.
taggable := [rc |
	count(settings.tags) > 0
	some rc in plan.written
	not rc.type in settings.ignore_types
	has_any(rc)
]

# attributes are where a type has its tags, those of the provider included.
attributes(rc) := ["tags_all", "tags"] if startswith(rc.type, "aws_")

attributes(rc) := ["tags"] if startswith(rc.type, "azurerm_")

attributes(rc) := ["effective_labels", "terraform_labels", "labels"] if startswith(rc.type, "google_")

# Null, and false in after_unknown, are values, too: what has the attribute can have tags.
has_any(rc) if {
	some name in attributes(rc)
	_ = rc.change.after[name]
}

has_any(rc) if {
	some name in attributes(rc)
	_ = rc.change.after_unknown[name]
}

spell(type, tag) := lower(tag) if {
	startswith(type, "google_")
} else := tag

tagged(rc, names, tag) if {
	some name in names
	value := plan.after(rc, name)[tag]
	not value in {"", null}
}

tagged(rc, names, tag) if {
	some name in names
	rc.change.after_unknown[name][tag] == true
}

# untold tells that it is not known which tags there will be.
untold(rc, names) if {
	some name in names
	rc.change.after_unknown[name] == true
	written_or_whole(rc, name)
}

untold(rc, names) if {
	some name in names
	plan.after(rc, name) == "(sensitive)"
}

# The provider computes the whole of the tags; that it is not known yet tells nothing where the resource's own are.
written_or_whole(rc, name) if {
	name in {"tags", "labels"}
	plan.configured(rc, name)
}

written_or_whole(rc, name) if {
	name in {"tags_all", "effective_labels"}
	not told(rc)
}

told(rc) if {
	some name in ["tags", "labels"]
	is_object(plan.after(rc, name))
}
