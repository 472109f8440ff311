# METADATA
# title: What every rule has
# description: The settings of every rule, how a server's tuning is laid over them, and how what a rule found is said.
# custom:
#   settings:
#     approvers: anyone
#     approvals: 1
#     except: []
#   help:
#     approvers: Who has to say yes where the effect is `ask` - `team:NAME`, `user:LOGIN`, or `anyone` who may write.
#     approvals: How many of them.
#     except: What the rule leaves alone - addresses of resources or references of objects; `*` stands for anything.
package mooring.pack.lib

effects := {"deny", "ask", "warn", "off"}

# What else the effect of a value that the plan does not tell may be.
effects_of_unknown := effects | {"same"}

# common are the settings that every rule has.
common := settings if {
	chain := rego.metadata.chain()
	some link in chain
	settings := link.annotations.custom.settings
}

# Rules are asked about one object of Kubernetes after the other. So nothing is worked out here that is not needed: the
# settings where a rule looks at them, the rest where it has found something.

# settings are those of a rule: what its annotations say, under what the server set.
settings(chain) := object.union(custom.settings, data.settings[custom.id]) if {
	some link in chain
	custom := link.annotations.custom
	is_object(data.settings[custom.id])
} else := link.annotations.custom.settings if {
	some link in chain
}

# rule is how a rule speaks.
rule(chain) := {
	"id": custom.id,
	"remedy": custom.remedy,
	"settings": object.union(common, tuned),
	"by": by,
	"effects": {e | some e in by},
} if {
	some link in chain
	custom := link.annotations.custom
	tuned := settings(chain)
	by := effects_by(object.get(tuned, "effect", custom.effect), tuned)
}

# effects_by gives the effect by how sure a finding is: "known" from values in the plan; "unknown" where a value is
# not told before the apply; "unset" where nothing is written and the provider decides.
effects_by("off", _) := {}

effects_by(effect, settings) := {
	"known": effect,
	"unknown": object.get(same, unknown, unknown),
	"unset": object.get(same, unset, unset),
} if {
	effect != "off"
	same := {"same": effect}
	unknown := object.get(settings, "unknown", "same")
	unset := object.get(settings, "unset", "same")
}

# said are the findings that have the effect, as the gate reads them.
said(rule, findings, effect) := {words |
	more := object.get({"ask": {"needs": {"who": rule.settings.approvers, "count": rule.settings.approvals}}}, effect, {})
	some found in findings
	rule.by[object.get(found, "sure", "known")] == effect
	not excepted(rule.settings.except, found.subject)
	words := object.union(more, {
		"msg": concat(": ", [found.subject, found.msg]),
		"subject": found.subject,
		"rule": rule.id,
		"remedy": rule.remedy,
	})
}

excepted(patterns, subject) if {
	some pattern in patterns
	glob.match(strings.replace_n(literal, pattern), null, subject)
}

# Of what globs know, only the star is special here: addresses are full of brackets.
literal := {"\\": "\\\\", "[": "\\[", "]": "\\]", "{": "\\{", "}": "\\}", "?": "\\?"}

# faults are findings about what the server set: where that cannot be, the rule denies.
faults(chain) := {spelled |
	count(data.settings) > 0
	some link in chain
	custom := link.annotations.custom
	some name, value in tuning(custom.id)
	why := fault(name, value, object.union(common, custom.settings), object.get(custom, "of", {}))
	spelled := {
		"msg": sprintf("%s is set wrongly: %s", [custom.id, why]),
		"subject": custom.id,
		"rule": custom.id,
		"remedy": sprintf("Correct rule %q of pack in server.hcl.", [custom.id]),
	}
}

tuning(id) := set if {
	set := data.settings[id]
	is_object(set)
} else := {"": set} if {
	set := data.settings[id]
}

fault("effect", value, _, _) := "effect has to be one of deny, ask, warn, off" if not value in effects

fault(name, _, usual, _) := sprintf("it has no setting %q", [name]) if {
	name != "effect"
	not name in object.keys(usual)
}

fault(name, value, usual, _) := sprintf("%s has to be a %s", [name, type_name(usual[name])]) if {
	type_name(value) != type_name(usual[name])
}

fault(name, value, usual, of) := sprintf("%s has to be a list of %ss", [name, element]) if {
	is_array(value)
	is_array(usual[name])
	element := object.get(of, name, "string")
	some member in value
	type_name(member) != element
}

fault(name, value, usual, _) := sprintf("%s has to be one of same, deny, ask, warn, off", [name]) if {
	name in {"unknown", "unset"}
	usual[name]
	is_string(value)
	not value in effects_of_unknown
}

fault("approvals", value, _, _) := "approvals has to be at least 1" if {
	is_number(value)
	value < 1
}
