package mooring.pack.terraform.required_tags_test

import data.mooring.pack.given
import data.mooring.pack.terraform.required_tags

plan(changes) := given.plan(changes, ["tags", "labels"])

required := {"terraform.required_tags": {"tags": ["Owner", "CostCenter"]}}

both := {"Owner": "a", "CostCenter": "1"}

hits := {
	"aws_instance.a: lacks the tags CostCenter": given.made("aws_instance.a", {"tags": {"Owner": "a"}, "tags_all": {"Owner": "a"}}),
	"aws_instance.b: lacks the tags Owner, CostCenter": given.made("aws_instance.b", {"tags": null, "tags_all": {}}),
	"aws_instance.c: lacks the tags Owner": given.updated("aws_instance.c", {"tags": {"Owner": "", "CostCenter": "1"}}),
	"azurerm_resource_group.d: lacks the tags Owner, CostCenter": given.made("azurerm_resource_group.d", {"tags": null}),
	"google_storage_bucket.e: lacks the tags Owner": given.made("google_storage_bucket.e", {"labels": {"costcenter": "1"}}),
}

test_hit if {
	every msg, rc in hits {
		found := required_tags.deny with input as plan([rc]) with data.settings as required
		given.said(found) == {msg}
	}
}

test_miss if {
	changes := [
		given.made("aws_instance.a", {"tags": both}),
		given.made("aws_instance.b", {"tags": {"Owner": "a"}, "tags_all": both}),
		given.made("aws_route.c", {"route_table_id": "x"}), # has no tags
		given.made("azurerm_resource_group.d", {"tags": both}),
		given.made("google_storage_bucket.e", {"labels": {"owner": "a"}, "effective_labels": {"owner": "a", "costcenter": "1"}}),
		given.made("google_compute_instance.f", {"tags": ["web"], "labels": {"owner": "a", "costcenter": "1"}}),
		given.made("null_resource.g", {"tags": null}),
		given.gone("aws_instance.h"),
		given.dark("aws_instance.i", {"tags": {"Owner": "a"}, "tags_all": {"Owner": "a"}}, {"tags": {"CostCenter": true}, "tags_all": {"CostCenter": true}}),
	]
	found := (required_tags.deny | required_tags.ask) | required_tags.warn with input as plan(changes) with data.settings as required
	count(found) == 0
}

test_miss_until_tags_are_set if {
	found := required_tags.deny with input as plan([rc | some rc in hits])
	count(found) == 0
}

test_unknown if {
	changes := [
		given.dark("aws_instance.a", {}, {"tags": true, "tags_all": true}),
		given.dark("aws_instance.b", {"tags": null}, {"tags_all": true}),
		given.dark("aws_instance.c", {"tags": "(sensitive)"}, {}),
		given.dark("azurerm_resource_group.d", {}, {"tags": true}),
		given.dark("google_storage_bucket.e", {}, {"labels": true, "effective_labels": true}),
	]
	every rc in changes {
		found := required_tags.deny with input as plan([rc]) with data.settings as required
		given.said(found) == {sprintf("%s: its tags are not known before the apply", [rc.address])}
		warned := required_tags.warn with input as plan([rc])
			with data.settings as {"terraform.required_tags": {"tags": ["Owner"], "unknown": "warn"}}
		count(warned) == 1
	}
}

# The provider computes tags_all; the resource's own tags are known.
test_hit_with_computed_tags_all if {
	rc := given.dark("aws_instance.a", {"tags": {"Owner": "a"}}, {"tags_all": true})
	found := required_tags.deny with input as plan([rc]) with data.settings as required
	given.said(found) == {"aws_instance.a: lacks the tags CostCenter"}
}

test_tuning if {
	changes := [rc | some rc in hits]
	found := required_tags.warn with input as plan(changes)
		with data.settings as {"terraform.required_tags": {"effect": "warn", "tags": ["Owner"], "ignore_types": ["aws_instance"]}}
	given.said(found) == {"azurerm_resource_group.d: lacks the tags Owner", "google_storage_bucket.e: lacks the tags Owner"}
	excepted := required_tags.deny with input as plan(changes)
		with data.settings as {"terraform.required_tags": {"tags": ["Owner"], "except": ["*"]}}
	count(excepted) == 0
}

test_tuning_wrong if {
	found := required_tags.deny with input as {} with data.settings as {"terraform.required_tags": {"nonsense": 1}}
	given.said(found) == {`terraform.required_tags is set wrongly: it has no setting "nonsense"`}
}

test_tuning_ask if {
	found := required_tags.ask with input as plan([hits["azurerm_resource_group.d: lacks the tags Owner, CostCenter"]])
		with data.settings as {"terraform.required_tags": {"effect": "ask", "tags": ["Owner"], "approvers": "team:finops"}}
	{f.needs.who | some f in found} == {"team:finops"}
}
