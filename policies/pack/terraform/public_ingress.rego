# METADATA
# title: Open to the world
# description: >-
#   Traffic is let in from everywhere (0.0.0.0/0, ::/0, a range wider than /8 of IPv4 or /7 of IPv6, Azure's `*` or
#   `Internet`) to other ports than those that are meant for it. Looked at are `aws_security_group`,
#   `aws_default_security_group`, `aws_security_group_rule`, `aws_vpc_security_group_ingress_rule`, `google_compute_firewall`,
#   `azurerm_network_security_rule` and `azurerm_network_security_group`. ICMP does not count. Prefix lists, whose entries a
#   plan does not tell, are not looked into.
# custom:
#   id: terraform.public_ingress
#   effect: ask
#   remedy: Name the networks or the groups that need it, or put a load balancer or a VPN in front.
#   settings:
#     ports: [80, 443]
#     unknown: same
#     unset: warn
#   of:
#     ports: number
#   help:
#     ports: Ports that everybody may reach, over TCP or UDP.
#     unknown: The effect where the plan does not tell the value before the apply, or it is sensitive; `same` as the rule's.
#     unset: >-
#       The effect where a new group has no rules that the plan shows - written apart from it, as usual, or by a dynamic
#       block whose rules are not known yet; a plan does not tell the two apart.
package mooring.pack.terraform.public_ingress

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

findings contains {"subject": plan.subject(rc), "msg": sprintf("%s open to %s", [door(opening), source])} if {
	some rc in candidates
	some opening in openings(rc.type, rc)
	not meant(opening)
	some source in opening.sources
	worldwide(lower(source))
}

findings contains {"subject": plan.subject(rc), "sure": "unknown", "msg": "whom it lets in is not known before the apply"} if {
	some rc in candidates
	hidden_source(rc.type, rc)
	not unset(rc)
}

findings contains {"subject": plan.subject(rc), "sure": "unset", "msg": "the plan does not show its rules: written apart from it, or by a dynamic block"} if {
	some rc in candidates
	hidden_source(rc.type, rc)
	unset(rc)
}

candidates := [rc | some rc in plan.written; rc.type in watched]

watched := {
	"aws_default_security_group", "aws_security_group", "aws_security_group_rule", "aws_vpc_security_group_ingress_rule",
	"azurerm_network_security_group", "azurerm_network_security_rule", "google_compute_firewall",
}

# unset tells that a group's rules are not written in it as blocks.
unset(rc) if {
	block := groups[rc.type]
	rc.change.after_unknown[block] == true
	not plan.configured(rc, block)
}

groups := {
	"aws_security_group": "ingress",
	"aws_default_security_group": "ingress",
	"azurerm_network_security_group": "security_rule",
}

# openings are what a resource lets in: sources, ranges of ports, a protocol.
openings("aws_security_group", rc) := aws_blocks(rc)

openings("aws_default_security_group", rc) := aws_blocks(rc)

openings("aws_security_group_rule", rc) := [aws_opening(rc.change.after)] if plan.after(rc, "type") != "egress"

openings("aws_vpc_security_group_ingress_rule", rc) := [{
	"sources": array.concat(plan.strings(plan.after(rc, "cidr_ipv4")), plan.strings(plan.after(rc, "cidr_ipv6"))),
	"ranges": [[plan.after(rc, "from_port"), plan.after(rc, "to_port")]],
	"protocol": plan.after(rc, "ip_protocol"),
}]

openings("google_compute_firewall", rc) := array.concat(
	[{"sources": sources, "ranges": google_ranges(allow), "protocol": object.get(allow, "protocol", null)} |
		some allow in plan.list(plan.after(rc, "allow"))
	],
	[{"sources": sources, "ranges": [], "protocol": null} | plan.dark(rc, "allow")],
) if {
	plan.after(rc, "direction") != "EGRESS"
	plan.after(rc, "disabled") != true
	sources := plan.strings(plan.after(rc, "source_ranges"))
}

openings("azurerm_network_security_rule", rc) := azure_openings([rc.change.after])

openings("azurerm_network_security_group", rc) := azure_openings(plan.list(plan.after(rc, "security_rule")))

aws_blocks(rc) := [aws_opening(block) | some block in plan.list(plan.after(rc, "ingress")); is_object(block)]

aws_opening(block) := {
	"sources": array.concat(plan.strings(object.get(block, "cidr_blocks", null)), plan.strings(object.get(block, "ipv6_cidr_blocks", null))),
	"ranges": [[object.get(block, "from_port", null), object.get(block, "to_port", null)]],
	"protocol": object.get(block, "protocol", null),
}

google_ranges(allow) := [range_of(text) | some text in plan.strings(object.get(allow, "ports", null))]

azure_openings(blocks) := [{
	"sources": both(block, "source_address_prefix", "source_address_prefixes"),
	"ranges": [range_of(text) | some text in both(block, "destination_port_range", "destination_port_ranges")],
	"protocol": object.get(block, "protocol", null),
} |
	some block in blocks
	plan.lowered(object.get(block, "direction", null)) != "outbound"
	plan.lowered(object.get(block, "access", null)) != "deny"
]

both(block, one, many) := array.concat(plan.strings(object.get(block, one, null)), plan.strings(object.get(block, many, null)))

# range_of reads "22", "8000-8080"; anything else is a range of all.
range_of(text) := [to_number(text), to_number(text)] if {
	regex.match(`^[0-9]{1,5}$`, text)
} else := [to_number(ends[0]), to_number(ends[1])] if {
	regex.match(`^[0-9]{1,5}-[0-9]{1,5}$`, text)
	ends := split(text, "-")
} else := [0, 65535]

# meant tells whether everybody may pass: ICMP, or ports that the settings name.
meant(opening) if name_of(opening.protocol) in {"icmp", "icmpv6", "1", "58"}

meant(opening) if {
	name_of(opening.protocol) in {"tcp", "udp", "6", "17"}
	count(opening.ranges) > 0
	every ends in opening.ranges {
		is_number(ends[0])
		is_number(ends[1])
		ends[1] >= ends[0]
		ends[1] - ends[0] < count(settings.ports)
		every port in numbers.range(ends[0], ends[1]) {
			port in settings.ports
		}
	}
}

name_of(protocol) := lower(protocol) if {
	is_string(protocol)
} else := "any protocol"

door(opening) := "everything is" if {
	name_of(opening.protocol) in {"-1", "all"}
} else := sprintf("%s (%s) is", [ports_of(opening.ranges), name_of(opening.protocol)])

ports_of(ranges) := sprintf("port %s", [concat(", ", [spell(ends) | some ends in ranges])]) if {
	count(ranges) > 0
} else := "every port"

spell([from, to]) := format_int(from, 10) if {
	is_number(from)
	from == to
} else := sprintf("%d-%d", [from, to]) if {
	is_number(from)
	is_number(to)
} else := "not known"

worldwide(source) if source in {"*", "any", "internet"}

worldwide(source) if {
	not contains(source, ":")
	some bits in ["/0", "/1", "/2", "/3", "/4", "/5", "/6", "/7"]
	endswith(source, bits)
}

worldwide(source) if {
	contains(source, ":")
	some bits in ["/0", "/1", "/2", "/3", "/4", "/5", "/6"]
	endswith(source, bits)
}

# hidden_source tells that the plan does not say whom a resource lets in.
hidden_source("aws_security_group", rc) if plan.dark_in(rc, "ingress", ["cidr_blocks", "ipv6_cidr_blocks"])

hidden_source("aws_default_security_group", rc) if plan.dark_in(rc, "ingress", ["cidr_blocks", "ipv6_cidr_blocks"])

hidden_source("aws_security_group_rule", rc) if {
	some name in ["cidr_blocks", "ipv6_cidr_blocks"]
	plan.dark(rc, name)
	plan.after(rc, "type") != "egress"
}

hidden_source("aws_vpc_security_group_ingress_rule", rc) if {
	some name in ["cidr_ipv4", "cidr_ipv6"]
	plan.dark(rc, name)
}

# The provider computes source_ranges where only tags or accounts are given.
hidden_source("google_compute_firewall", rc) if {
	plan.dark(rc, "source_ranges")
	plan.configured(rc, "source_ranges")
	plan.after(rc, "direction") != "EGRESS"
}

hidden_source("azurerm_network_security_rule", rc) if {
	some name in ["source_address_prefix", "source_address_prefixes"]
	plan.dark(rc, name)
	plan.lowered(plan.after(rc, "direction")) != "outbound"
}

hidden_source("azurerm_network_security_group", rc) if {
	plan.dark_in(rc, "security_rule", ["source_address_prefix", "source_address_prefixes"])
}
