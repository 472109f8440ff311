# METADATA
# title: Reading IAM policies of AWS
# description: Statements of a policy document, by the grammar that AWS documents.
package mooring.pack.iam

import data.mooring.pack.plan

# statements are those of a document, in one form: names in lower case. One alone needs no list.
statements(document) := [plain |
	some name, value in document
	lower(name) == "statement"
	some statement in one_or_more(value)
	is_object(statement)
	plain := {lower(key): inner | some key, inner in statement}
	allows(plain)
]

one_or_more(value) := value if {
	is_array(value)
} else := [value]

# What is not a plain Deny may allow.
allows(statement) if plan.lowered(object.get(statement, "effect", "")) != "deny"

# anybody tells that a statement lets everybody in, under no condition.
anybody(statement) if {
	not conditional(statement)
	everybody(object.get(statement, "principal", null))
}

anybody(statement) if {
	not conditional(statement)
	statement.notprincipal
}

conditional(statement) if {
	is_object(statement.condition)
	count(statement.condition) > 0
}

everybody("*")

everybody(principal) if {
	is_object(principal)
	some kind, who in principal
	lower(kind) == "aws"
	"*" in plan.strings(who)
}

actions(statement) := {lower(action) | some action in plan.strings(object.get(statement, "action", null))}

# covers tells that an action, which may have wildcards of its own, allows all of another: "i?m:*" covers "iam:*".
covers(action, whole) if action == whole

covers(action, whole) if {
	regex.match(`[*?]`, action)
	glob.match(strings.replace_n({"\\": "\\\\", "[": "\\[", "]": "\\]", "{": "\\{", "}": "\\}"}, action), null, whole)
}
