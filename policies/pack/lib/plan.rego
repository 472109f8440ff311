# METADATA
# title: Reading a plan
# description: The changes of `terraform show -json`, and what of their values is known.
package mooring.pack.plan

# What each list of actions does. A list that is not here, or none, is taken for the worst: it writes and destroys.
deeds := {
	["no-op"]: {"writes": false, "destroys": false},
	["read"]: {"writes": false, "destroys": false},
	["forget"]: {"writes": false, "destroys": false},
	["create"]: {"writes": true, "destroys": false},
	["update"]: {"writes": true, "destroys": false},
	["create", "forget"]: {"writes": true, "destroys": false},
	["delete"]: {"writes": false, "destroys": true},
	["delete", "create"]: {"writes": true, "destroys": true},
	["create", "delete"]: {"writes": true, "destroys": true},
}

managed := [rc |
	some rc in input.resource_changes
	not rc.mode == "data"
]

# written are the changes that make a resource or set its attributes.
written := [rc |
	some rc in managed
	not deeds[rc.change.actions].writes == false
]

# gone are the changes that destroy a resource, to make it again or not.
gone := [rc |
	some rc in managed
	destroys(rc.change)
]

destroys(change) if not deeds[change.actions].destroys == false

replaces(change) if {
	deeds[change.actions].writes
	deeds[change.actions].destroys
}

subject(rc) := sprintf("%s (deposed %s)", [rc.address, rc.deposed]) if {
	is_string(rc.deposed)
} else := object.get(rc, "address", "a resource without an address")

# after is the value that an attribute will have; null where it is not set or not known.
after(rc, name) := value if {
	value := rc.change.after[name]
} else := null

# dark tells that the plan does not say what the attribute, or a part of it, will be: after_unknown mirrors the values
# with true where one is not known, and Mooring masks what is sensitive.
dark(rc, name) if holds(rc.change.after_unknown[name], true)

dark(rc, name) if holds(rc.change.after[name], mask)

mask := "(sensitive)"

holds(value, what) if value == what

holds(value, what) if {
	is_array(value)
	walk(value, [_, what])
}

holds(value, what) if {
	is_object(value)
	walk(value, [_, what])
}

# dark_in tells the same of attributes in blocks. A block's other attributes do not count: they often name what
# is made in the same plan.
dark_in(rc, block, names) if holds_in(rc.change.after_unknown[block], names, true)

dark_in(rc, block, names) if holds_in(rc.change.after[block], names, mask)

holds_in(value, _, what) if value == what

holds_in(value, _, what) if {
	is_array(value)
	what in value
}

holds_in(value, names, what) if {
	is_array(value)
	some one in value
	some name in names
	holds(one[name], what)
}

# configured tells whether the attribute is written in the configuration; also where the configuration is not in
# the plan. Terraform's plan does not show dynamic blocks there.
configured(rc, name) if not expressions(rc)

configured(rc, name) if name in expressions(rc)

expressions(rc) := written_in(module_of(rc))[sprintf("%s.%s", [rc.type, rc.name])]

module_of(rc) := regex.replace(rc.module_address, key, "") if {
	rc.module_address
} else := ""

# The key of an instance, in brackets.
key := `\[("([^"\\]|\\.)*"|[0-9]+)\]`

# written_in gives, for the resources of one module, the names that are written in them.
written_in(module) := {resource.address: names |
	some resource in object.get(input.configuration, array.concat(path(module), ["resources"]), [])
	names := object.keys(object.get(resource, "expressions", {}))
}

# path leads to module.a.module.b in the configuration.
path(module) := array.concat(["root_module"], [step |
	some i, name in split(module, ".")
	i % 2 == 1
	some step in ["module_calls", name, "module"]
])

# lowered is a string in lower case; "" stands for what is no string.
lowered(value) := lower(value) if {
	is_string(value)
} else := ""

list(value) := value if {
	is_array(value)
} else := []

# strings are those of a value that is one, a list of them, or neither.
strings(value) := [value] if {
	is_string(value)
} else := [s | some s in list(value); is_string(s)]

# document reads JSON text; what is not JSON has no document.
document(text) := json.unmarshal(text) if {
	is_string(text)
	json.is_valid(text)
}
