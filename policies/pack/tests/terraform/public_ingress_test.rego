package mooring.pack.terraform.public_ingress_test

import data.mooring.pack.given
import data.mooring.pack.terraform.public_ingress

everything := ["ingress", "source_ranges", "security_rule", "cidr_blocks"]

plan(changes) := given.plan(changes, everything)

ssh(more) := object.union({"from_port": 22, "to_port": 22, "protocol": "tcp"}, more)

inbound(more) := object.union({"direction": "Inbound", "access": "Allow", "protocol": "Tcp", "destination_port_range": "22"}, more)

world := ["0.0.0.0/0"]

hits := {
	"aws_security_group.a: port 22 (tcp) is open to 0.0.0.0/0": given.made("aws_security_group.a", {"ingress": [ssh({"cidr_blocks": world})]}),
	"aws_security_group.b: port 22 (tcp) is open to ::/0": given.updated("aws_security_group.b", {"ingress": [ssh({"cidr_blocks": ["10.0.0.0/8"]}), ssh({"ipv6_cidr_blocks": ["::/0"]})]}),
	"aws_default_security_group.c: everything is open to 0.0.0.0/1": given.made("aws_default_security_group.c", {"ingress": [{"from_port": 0, "to_port": 0, "protocol": "-1", "cidr_blocks": ["0.0.0.0/1"]}]}),
	"aws_security_group_rule.d: port 0-65535 (tcp) is open to 0.0.0.0/0": given.made("aws_security_group_rule.d", {"type": "ingress", "from_port": 0, "to_port": 65535, "protocol": "tcp", "cidr_blocks": world}),
	"aws_vpc_security_group_ingress_rule.e: port 22 (tcp) is open to 0.0.0.0/0": given.made("aws_vpc_security_group_ingress_rule.e", {"from_port": 22, "to_port": 22, "ip_protocol": "tcp", "cidr_ipv4": "0.0.0.0/0", "cidr_ipv6": null}),
	"aws_vpc_security_group_ingress_rule.f: everything is open to ::/0": given.made("aws_vpc_security_group_ingress_rule.f", {"ip_protocol": "-1", "cidr_ipv6": "::/0"}),
	"google_compute_firewall.g: port 22, 8000-9000 (tcp) is open to 0.0.0.0/0": given.made("google_compute_firewall.g", {"direction": "INGRESS", "source_ranges": world, "allow": [{"protocol": "tcp", "ports": ["22", "8000-9000"]}]}),
	"google_compute_firewall.h: everything is open to 0.0.0.0/0": given.made("google_compute_firewall.h", {"source_ranges": world, "allow": [{"protocol": "all", "ports": []}]}),
	"azurerm_network_security_rule.i: port 22 (tcp) is open to *": given.made("azurerm_network_security_rule.i", inbound({"source_address_prefix": "*"})),
	"azurerm_network_security_rule.j: port 22 (tcp) is open to Internet": given.made("azurerm_network_security_rule.j", inbound({"source_address_prefix": "Internet"})),
	"azurerm_network_security_rule.k: port 22, 0-65535 (*) is open to 0.0.0.0/0": given.made("azurerm_network_security_rule.k", inbound({"protocol": "*", "source_address_prefixes": world, "destination_port_ranges": ["*"]})),
	"azurerm_network_security_group.l: port 22 (tcp) is open to *": given.made("azurerm_network_security_group.l", {"security_rule": [inbound({"source_address_prefix": "*"})]}),
}

test_hit if {
	every msg, rc in hits {
		found := public_ingress.ask with input as plan([rc])
		given.said(found) == {msg}
	}
	found := public_ingress.ask with input as plan([rc | some rc in hits])
	count(found) == count(hits)
}

test_miss if {
	changes := [
		given.made("aws_security_group.a", {"ingress": [ssh({"cidr_blocks": ["10.0.0.0/8", "203.0.113.0/24"], "ipv6_cidr_blocks": ["fc00::/7"]})]}),
		given.made("aws_security_group.b", {"ingress": [{"from_port": 443, "to_port": 443, "protocol": "tcp", "cidr_blocks": world}]}),
		given.made("aws_security_group.c", {"ingress": [{"from_port": -1, "to_port": -1, "protocol": "icmp", "cidr_blocks": world}]}),
		given.made("aws_security_group.d", {"ingress": [], "egress": [ssh({"cidr_blocks": world})]}),
		given.made("aws_security_group_rule.e", ssh({"type": "egress", "cidr_blocks": world})),
		given.made("aws_vpc_security_group_ingress_rule.f", {"from_port": 22, "to_port": 22, "ip_protocol": "tcp", "cidr_ipv4": "10.1.0.0/16"}),
		given.made("google_compute_firewall.g", {"direction": "EGRESS", "source_ranges": world, "allow": [{"protocol": "tcp", "ports": ["22"]}]}),
		given.made("google_compute_firewall.h", {"source_ranges": world, "allow": [], "deny": [{"protocol": "all"}]}),
		given.made("google_compute_firewall.i", {"disabled": true, "source_ranges": world, "allow": [{"protocol": "all"}]}),
		given.made("google_compute_firewall.j", {"source_ranges": world, "allow": [{"protocol": "tcp", "ports": ["80", "443"]}]}),
		given.made("azurerm_network_security_rule.k", inbound({"source_address_prefix": "*", "access": "Deny"})),
		given.made("azurerm_network_security_rule.l", inbound({"source_address_prefix": "*", "direction": "Outbound"})),
		given.made("azurerm_network_security_rule.m", inbound({"source_address_prefix": "VirtualNetwork"})),
		given.made("azurerm_network_security_rule.n", inbound({"source_address_prefix": "*", "destination_port_range": "443"})),
		given.gone("aws_security_group.o"),
		given.change("aws_security_group.p", ["no-op"], {}, {"ingress": [ssh({"cidr_blocks": world})]}, {}),
	]
	found := (public_ingress.deny | public_ingress.ask) | public_ingress.warn with input as plan(changes)
	count(found) == 0
}

# A range that runs backwards, or a port that is not known, is not one of the ports that are meant.
test_hit_odd_ports if {
	every ports in [{"from_port": 443, "to_port": 80}, {"from_port": null, "to_port": null}, {"from_port": 80, "to_port": 443}] {
		found := public_ingress.ask with input as plan([given.made("aws_security_group.a", {"ingress": [object.union({"protocol": "tcp", "cidr_blocks": world}, ports)]})])
		count(found) == 1
	}
}

dark := [
	given.dark("aws_security_group.a", {}, {"ingress": true}),
	given.dark("aws_security_group.b", {"ingress": [ssh({})]}, {"ingress": [{"cidr_blocks": [true]}]}),
	given.dark("aws_security_group.c", {"ingress": [null]}, {"ingress": [true]}),
	given.dark("aws_security_group.d", {"ingress": "(sensitive)"}, {}),
	given.dark("aws_security_group.e", {"ingress": ["(sensitive)"]}, {}),
	given.dark("aws_security_group.f", {"ingress": [ssh({"cidr_blocks": "(sensitive)"})]}, {}),
	given.dark("aws_default_security_group.g", {}, {"ingress": true}),
	given.dark("aws_security_group_rule.h", ssh({"type": "ingress"}), {"cidr_blocks": true}),
	given.dark("aws_security_group_rule.i", ssh({"type": "ingress", "cidr_blocks": ["(sensitive)"]}), {}),
	given.dark("aws_security_group_rule.j", ssh({"type": "ingress", "cidr_blocks": [null]}), {"cidr_blocks": [true], "self": false}),
	given.dark("aws_vpc_security_group_ingress_rule.k", {}, {"cidr_ipv4": true}),
	given.dark("google_compute_firewall.l", {"allow": []}, {"source_ranges": true}),
	given.dark("azurerm_network_security_rule.m", inbound({}), {"source_address_prefix": true}),
	given.dark("azurerm_network_security_group.n", {"security_rule": [inbound({})]}, {"security_rule": [{"source_address_prefixes": [true]}]}),
]

test_unknown_is_asked_for if {
	every rc in dark {
		found := public_ingress.ask with input as plan([rc])
		given.said(found) == {sprintf("%s: whom it lets in is not known before the apply", [rc.address])}
	}
}

# Without a configuration in the plan everything counts as written.
test_unknown_without_configuration if {
	found := public_ingress.ask with input as {"resource_changes": [given.dark("aws_security_group.a", {}, {"ingress": true})]}
	count(found) == 1
}

test_unknown_type_and_ports if {
	changes := [
		given.dark("aws_security_group_rule.a", {"cidr_blocks": world}, {"type": true, "from_port": true}),
		given.dark("google_compute_firewall.b", {"source_ranges": world}, {"allow": true, "direction": true}),
		given.dark("azurerm_network_security_rule.c", {"source_address_prefix": "*"}, {"direction": true, "access": true, "destination_port_range": true}),
	]
	found := public_ingress.ask with input as plan(changes)
	count(found) == 3
}

# Rules that are written apart from their group leave the group's own unset.
test_unknown_unset_warns if {
	changes := [
		given.dark("aws_security_group.a", {}, {"ingress": true}),
		given.dark("azurerm_network_security_group.b", {}, {"security_rule": true}),
	]
	warned := public_ingress.warn with input as given.plan(changes, ["name"])
	count(warned) == 2
	asked := public_ingress.ask with input as given.plan(changes, ["name"])
	count(asked) == 0
	off := public_ingress.warn with input as given.plan(changes, ["name"]) with data.settings as {"terraform.public_ingress": {"unset": "off"}}
	count(off) == 0
}

# The provider computes source_ranges where only tags are given.
test_miss_google_tags if {
	rc := given.dark("google_compute_firewall.a", {"source_tags": ["web"], "allow": []}, {"source_ranges": true})
	found := public_ingress.ask | public_ingress.warn with input as given.plan([rc], ["source_tags"])
	count(found) == 0
}

group := object.union(given.dark("aws_security_group.a", {}, {"ingress": true}), {
	"address": `module.net["x.y"].module.inner[0].aws_security_group.a[1]`,
	"module_address": `module.net["x.y"].module.inner[0]`,
})

module(names) := {"resource_changes": [group], "configuration": {"root_module": {"module_calls": {"net": {"module": {"module_calls": {"inner": {"module": {"resources": [{"address": "aws_security_group.a", "expressions": names}]}}}}}}}}}

test_unknown_in_modules if {
	asked := public_ingress.ask with input as module({"ingress": [{}]})
	count(asked) == 1
	warned := public_ingress.warn with input as module({"name": {}})
	count(warned) == 1
}

test_tuning if {
	changes := [hits["aws_security_group.a: port 22 (tcp) is open to 0.0.0.0/0"]]
	found := public_ingress.ask with input as plan(changes) with data.settings as {"terraform.public_ingress": {"ports": [22]}}
	count(found) == 0
	denied := public_ingress.deny with input as plan(changes) with data.settings as {"terraform.public_ingress": {"effect": "deny"}}
	count(denied) == 1
	warned := public_ingress.warn with input as plan([dark[0]]) with data.settings as {"terraform.public_ingress": {"unknown": "warn"}}
	count(warned) == 1
	wrong := public_ingress.deny with input as plan([dark[0]]) with data.settings as {"terraform.public_ingress": {"unknown": "never"}}
	given.said(wrong) == {"terraform.public_ingress is set wrongly: unknown has to be one of same, deny, ask, warn, off"}
}

test_tuning_wrong if {
	found := public_ingress.deny with input as {} with data.settings as {"terraform.public_ingress": {"nonsense": 1}}
	given.said(found) == {`terraform.public_ingress is set wrongly: it has no setting "nonsense"`}
}
