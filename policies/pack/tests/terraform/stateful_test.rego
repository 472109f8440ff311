package mooring.pack.terraform.stateful_test

import data.mooring.pack.given
import data.mooring.pack.terraform.stateful

plan(changes) := given.plan(changes, [])

test_hit_destroyed_and_replaced if {
	found := stateful.ask with input as plan([given.gone("aws_db_instance.main"), given.replaced("google_dns_managed_zone.main"), given.gone("azurerm_managed_disk.main")])
	given.said(found) == {
		"aws_db_instance.main: destroys a database",
		"google_dns_managed_zone.main: replaces a DNS zone",
		"azurerm_managed_disk.main: destroys a volume",
	}
	some f in found
	f.needs == {"who": "anyone", "count": 1}
	f.remedy != ""
	f.rule == "terraform.stateful"
}

test_hit_replacement_that_creates_first if {
	found := stateful.ask with input as plan([given.change("aws_s3_bucket.b", ["create", "delete"], {}, {}, {})])
	given.said(found) == {"aws_s3_bucket.b: replaces a bucket"}
}

test_hit_deposed if {
	found := stateful.ask with input as plan([object.union(given.gone("aws_ebs_volume.v"), {"deposed": "b3f1"})])
	given.said(found) == {"aws_ebs_volume.v (deposed b3f1): destroys a volume"}
}

test_miss if {
	changes := [
		given.made("aws_db_instance.a", {}),
		given.updated("aws_db_instance.b", {}),
		given.still("aws_db_instance.c"),
		given.change("aws_db_instance.d", ["forget"], {}, null, {}),
		given.change("aws_db_instance.e", ["read"], {}, {}, {}),
		given.gone("aws_instance.f"),
		object.union(given.gone("aws_db_instance.g"), {"mode": "data"}),
	]
	count(stateful.ask) == 0 with input as plan(changes)
	count(stateful.deny) == 0 with input as plan(changes)
	count(stateful.warn) == 0 with input as plan(changes)
	count(stateful.ask) == 0 with input as {"format_version": "1.2"}
}

# An action that nobody knows, or none, is taken for the worst.
test_unknown_action if {
	every actions in [["melt"], [], "delete", null] {
		found := stateful.ask with input as plan([given.change("aws_db_instance.a", actions, {}, {}, {})])
		given.said(found) == {"aws_db_instance.a: does something unknown to a database"}
	}
}

test_tuning_effect if {
	input_ := plan([given.gone("aws_db_instance.main")])
	every effect in ["deny", "warn"] {
		found := stateful[effect] with input as input_ with data.settings as {"terraform.stateful": {"effect": effect}}
		count(found) == 1
		asked := stateful.ask with input as input_ with data.settings as {"terraform.stateful": {"effect": effect}}
		count(asked) == 0
	}
	off := (stateful.deny | stateful.ask) | stateful.warn with input as input_ with data.settings as {"terraform.stateful": {"effect": "off"}}
	count(off) == 0
}

test_tuning_needs if {
	found := stateful.ask with input as plan([given.gone("aws_db_instance.main")])
		with data.settings as {"terraform.stateful": {"approvers": "team:dba", "approvals": 2}}
	{f.needs | some f in found} == {{"who": "team:dba", "count": 2}}
}

test_tuning_except if {
	changes := [given.gone(`aws_db_instance.replica["a"]`), given.gone("aws_db_instance.main")]
	found := stateful.ask with input as plan(changes) with data.settings as {"terraform.stateful": {"except": ["aws_db_instance.replica[*"]}}
	given.said(found) == {"aws_db_instance.main: destroys a database"}
	exact := stateful.ask with input as plan(changes) with data.settings as {"terraform.stateful": {"except": [`aws_db_instance.replica["a"]`]}}
	count(exact) == 1
	other := stateful.ask with input as plan(changes) with data.settings as {"terraform.stateful": {"except": [`aws_db_instance.replica?a?]`]}}
	count(other) == 2
}

test_tuning_types if {
	changes := [given.gone("aws_db_instance.main"), given.gone("acme_store.main")]
	found := stateful.ask with input as plan(changes)
		with data.settings as {"terraform.stateful": {"types": ["acme_store"], "ignore_types": ["aws_db_instance"]}}
	given.said(found) == {"acme_store.main: destroys a resource that holds data"}
}

test_more_that_holds_data if {
	changes := [
		given.gone("google_project.a"), given.gone("aws_organizations_account.b"), given.gone("azurerm_resource_group.c"),
		given.gone("google_healthcare_fhir_store.d"), given.replaced("azurerm_elastic_san.e"), given.gone("aws_cloudformation_stack.f"),
	]
	found := stateful.ask with input as plan(changes)
	given.said(found) == {
		"google_project.a: destroys a whole project",
		"aws_organizations_account.b: destroys a whole account",
		"azurerm_resource_group.c: destroys a resource group and all that is in it",
		"google_healthcare_fhir_store.d: destroys a database",
		"azurerm_elastic_san.e: replaces a volume",
		"aws_cloudformation_stack.f: destroys a stack and all that is in it",
	}
}

# What is set wrongly denies.
test_tuning_wrong if {
	changes := [given.gone("aws_db_instance.main")]
	wrong := {
		`effect has to be one of deny, ask, warn, off`: {"effect": "allow"},
		`it has no setting "typs"`: {"typs": []},
		`types has to be a array`: {"types": "aws_instance"},
		`types has to be a list of strings`: {"types": [1]},
		`approvals has to be at least 1`: {"approvals": 0},
		`it has no setting "unknown"`: {"unknown": "sometimes"},
		`it has no setting ""`: "off",
	}
	every why, settings in wrong {
		denied := stateful.deny with input as plan(changes) with data.settings as {"terraform.stateful": settings}
		concat("", ["terraform.stateful is set wrongly: ", why]) in given.said(denied)
	}
	asked := stateful.ask with input as plan(changes) with data.settings as {"terraform.stateful": {"typs": []}}
	count(asked) == 1
}
