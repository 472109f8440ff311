package mooring.pack.terraform.public_bucket_test

import data.mooring.pack.given
import data.mooring.pack.terraform.public_bucket

plan(changes) := given.plan(changes, ["acl", "policy", "member", "members", "policy_data", "entity", "role_entity", "block_public_acls", "container_access_type"])

closed := {"block_public_acls": true, "block_public_policy": true, "ignore_public_acls": true, "restrict_public_buckets": true}

policy(statement) := json.marshal({"Version": "2012-10-17", "Statement": statement})

everybody := {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}

all_users := {"uri": "http://acs.amazonaws.com/groups/global/AllUsers", "permissions": ["READ"]}

hits := {
	`aws_s3_bucket.a: acl is "public-read"`: given.made("aws_s3_bucket.a", {"acl": "public-read"}),
	`aws_s3_bucket.b: it grants to http://acs.amazonaws.com/groups/global/AllUsers`: given.made("aws_s3_bucket.b", {"acl": null, "grant": [all_users]}),
	`aws_s3_bucket.c: its policy allows everybody`: given.made("aws_s3_bucket.c", {"policy": policy(everybody)}),
	`aws_s3_bucket_acl.d: acl is "authenticated-read"`: given.made("aws_s3_bucket_acl.d", {"acl": "authenticated-read"}),
	`aws_s3_bucket_acl.e: it grants to http://acs.amazonaws.com/groups/global/AllUsers`: given.made("aws_s3_bucket_acl.e", {"access_control_policy": [{"grant": [{"grantee": [all_users]}]}]}),
	`aws_s3_bucket_policy.f: its policy allows everybody`: given.made("aws_s3_bucket_policy.f", {"policy": policy([everybody])}),
	`aws_s3_bucket_policy.g: its policy allows everybody`: given.made("aws_s3_bucket_policy.g", {"policy": policy([object.union(everybody, {"Principal": {"AWS": ["*"]}})])}),
	`aws_s3_bucket_policy.h: its policy allows everybody`: given.made("aws_s3_bucket_policy.h", {"policy": policy([{"Effect": "Allow", "NotPrincipal": {"AWS": "123456789012"}, "Action": "s3:*"}])}),
	`aws_s3_object.i: acl is "public-read-write"`: given.made("aws_s3_object.i", {"acl": "public-read-write"}),
	`aws_s3_bucket_object.j: acl is "public-read"`: given.made("aws_s3_bucket_object.j", {"acl": "public-read"}),
	`aws_s3_bucket_public_access_block.k: block_public_acls is not true`: given.made("aws_s3_bucket_public_access_block.k", object.union(closed, {"block_public_acls": false})),
	`aws_s3_account_public_access_block.l: ignore_public_acls is not true`: given.made("aws_s3_account_public_access_block.l", object.remove(closed, ["ignore_public_acls"])),
	`aws_s3_bucket_public_access_block.m: destroys what keeps the bucket from being public`: given.gone("aws_s3_bucket_public_access_block.m"),
	`google_storage_bucket_iam_member.n: it grants to allUsers`: given.made("google_storage_bucket_iam_member.n", {"member": "allUsers"}),
	`google_storage_bucket_iam_binding.o: it grants to allAuthenticatedUsers`: given.made("google_storage_bucket_iam_binding.o", {"members": ["user:a@example.com", "allAuthenticatedUsers"]}),
	`google_storage_bucket_iam_policy.p: it grants to allUsers`: given.made("google_storage_bucket_iam_policy.p", {"policy_data": `{"bindings":[{"role":"roles/storage.objectViewer","members":["allUsers"]}]}`}),
	`google_storage_bucket_access_control.q: it grants to allUsers`: given.made("google_storage_bucket_access_control.q", {"entity": "allUsers"}),
	`google_storage_object_access_control.q: it grants to allUsers`: given.made("google_storage_object_access_control.q", {"entity": "allUsers"}),
	`google_storage_default_object_access_control.r: it grants to allUsers`: given.made("google_storage_default_object_access_control.r", {"entity": "allUsers"}),
	`google_storage_bucket_acl.s: predefined_acl is "publicRead"`: given.made("google_storage_bucket_acl.s", {"predefined_acl": "publicRead"}),
	`google_storage_bucket_acl.t: it grants READER:allUsers`: given.made("google_storage_bucket_acl.t", {"role_entity": ["OWNER:user-a@example.com", "READER:allUsers"]}),
	`google_storage_object_acl.u: it grants READER:allUsers`: given.made("google_storage_object_acl.u", {"role_entity": ["READER:allUsers"]}),
	`google_storage_default_object_acl.v: it grants READER:allUsers`: given.made("google_storage_default_object_acl.v", {"role_entity": ["READER:allUsers"]}),
	`google_storage_managed_folder_iam_member.w: it grants to allUsers`: given.made("google_storage_managed_folder_iam_member.w", {"member": "allUsers"}),
	`google_storage_managed_folder_iam_binding.w: it grants to allUsers`: given.made("google_storage_managed_folder_iam_binding.w", {"members": ["allUsers"]}),
	`google_storage_managed_folder_iam_policy.w: it grants to allUsers`: given.made("google_storage_managed_folder_iam_policy.w", {"policy_data": `{"bindings":[{"members":["allUsers"]}]}`}),
	`azurerm_storage_container.x: container_access_type is "blob"`: given.made("azurerm_storage_container.x", {"container_access_type": "blob"}),
}

test_hit if {
	every msg, rc in hits {
		found := public_bucket.ask with input as plan([rc])
		given.said(found) == {msg}
	}
}

test_miss if {
	changes := [
		given.made("aws_s3_bucket.a", {"acl": "private", "policy": null, "grant": []}),
		given.made("aws_s3_bucket.b", {"policy": policy([object.union(everybody, {"Effect": "Deny"})])}),
		given.made("aws_s3_bucket_policy.c", {"policy": policy([object.union(everybody, {"Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1"}}})])}),
		given.made("aws_s3_bucket_policy.d", {"policy": policy([object.union(everybody, {"Principal": {"AWS": "123456789012"}})])}),
		given.made("aws_s3_bucket_policy.e", {"policy": ""}),
		given.made("aws_s3_bucket_public_access_block.f", closed),
		given.change("aws_s3_bucket_public_access_block.g", ["delete", "create"], closed, closed, {}),
		given.made("google_storage_bucket_iam_member.h", {"member": "group:a@example.com"}),
		given.made("google_storage_bucket.i", {"public_access_prevention": "inherited"}),
		given.made("azurerm_storage_container.j", {"container_access_type": "private"}),
		given.made("azurerm_storage_account.k", {"allow_nested_items_to_be_public": true}),
		given.gone("aws_s3_bucket.l"),
	]
	found := (public_bucket.deny | public_bucket.ask) | public_bucket.warn with input as plan(changes)
	count(found) == 0
}

test_hit_empty_condition if {
	rc := given.made("aws_s3_bucket_policy.a", {"policy": policy([object.union(everybody, {"Condition": {}})])})
	found := public_bucket.ask with input as plan([rc])
	count(found) == 1
}

test_unknown if {
	changes := {
		"policy": given.dark("aws_s3_bucket_policy.a", {}, {"policy": true}),
		"acl": given.dark("aws_s3_bucket_acl.b", {}, {"acl": true}),
		"block_public_acls": given.dark("aws_s3_bucket_public_access_block.c", object.remove(closed, ["block_public_acls"]), {"block_public_acls": true}),
		"member": given.dark("google_storage_bucket_iam_member.d", {}, {"member": true}),
		"members": given.dark("google_storage_bucket_iam_binding.e", {"members": ["(sensitive)"]}, {}),
		"container_access_type": given.dark("azurerm_storage_container.f", {}, {"container_access_type": true}),
	}
	every name, rc in changes {
		found := public_bucket.ask with input as plan([rc])
		given.said(found) == {sprintf("%s: %s is not known before the apply", [rc.address, name])}
	}
}

test_unknown_text if {
	rc := given.made("aws_s3_bucket_policy.a", {"policy": "{ not json"})
	found := public_bucket.ask with input as plan([rc])
	given.said(found) == {"aws_s3_bucket_policy.a: policy is not JSON"}
}

# What the provider computes was not written.
test_miss_computed if {
	rc := given.dark("aws_s3_bucket.a", {}, {"acl": true, "policy": true, "grant": true})
	found := public_bucket.ask with input as given.plan([rc], ["bucket"])
	count(found) == 0
}

test_tuning if {
	changes := [given.made("google_storage_bucket.i", {"public_access_prevention": "inherited"}), given.made("azurerm_storage_account.k", {"allow_nested_items_to_be_public": true})]
	found := public_bucket.ask with input as plan(changes) with data.settings as {"terraform.public_bucket": {"strict": true}}
	count(found) == 2
	denied := public_bucket.deny with input as plan(changes) with data.settings as {"terraform.public_bucket": {"strict": true, "effect": "deny"}}
	count(denied) == 2
	warned := public_bucket.warn with input as plan([given.made("aws_s3_bucket_policy.a", {"policy": "no"})]) with data.settings as {"terraform.public_bucket": {"unknown": "warn"}}
	count(warned) == 1
	wrong := public_bucket.deny with input as plan([]) with data.settings as {"terraform.public_bucket": {"strict": "yes"}}
	given.said(wrong) == {"terraform.public_bucket is set wrongly: strict has to be a boolean"}
}

test_tuning_wrong if {
	found := public_bucket.deny with input as {} with data.settings as {"terraform.public_bucket": {"nonsense": 1}}
	given.said(found) == {`terraform.public_bucket is set wrongly: it has no setting "nonsense"`}
}
