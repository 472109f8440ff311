package mooring.pack.terraform.wildcard_iam_test

import data.mooring.pack.given
import data.mooring.pack.terraform.wildcard_iam

plan(changes) := given.plan(changes, ["policy", "inline_policy", "assume_role_policy", "member", "role", "policy_data", "permissions", "role_definition_name", "policy_arn"])

policy(statement) := json.marshal({"Version": "2012-10-17", "Statement": statement})

all := {"Effect": "Allow", "Action": "*", "Resource": "*"}

anybody := {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}

trust := policy([{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}])

hits := {
	"aws_iam_policy.a: policy allows *": given.made("aws_iam_policy.a", {"policy": policy([all])}),
	"aws_iam_policy.b: policy allows iam:*": given.made("aws_iam_policy.b", {"policy": policy(object.union(all, {"Action": ["s3:GetObject", "IAM:*"]}))}),
	"aws_iam_policy.c: policy allows all but what it names": given.made("aws_iam_policy.c", {"policy": policy([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}])}),
	"aws_iam_policy.d: policy allows *:*": given.made("aws_iam_policy.d", {"policy": `{"statement":{"effect":"Allow","action":"*:*","resource":"*"}}`}),
	"aws_iam_policy.y: policy allows **": given.made("aws_iam_policy.y", {"policy": policy([object.union(all, {"Action": "**"})])}),
	"aws_iam_policy.z: policy allows i?m:*": given.made("aws_iam_policy.z", {"policy": policy([object.union(all, {"Action": ["s3:*", "I?M:*"]})])}),
	"azurerm_role_definition.y: it allows Microsoft.Auth*/*": given.made("azurerm_role_definition.y", {"permissions": [{"actions": ["Microsoft.Auth*/*", "Microsoft.Compute/*"]}]}),
	"aws_iam_role_policy.e: policy allows *": given.made("aws_iam_role_policy.e", {"policy": policy([all])}),
	"aws_iam_user_policy.f: policy allows *": given.made("aws_iam_user_policy.f", {"policy": policy([all])}),
	"aws_iam_group_policy.g: policy allows *": given.made("aws_iam_group_policy.g", {"policy": policy([all])}),
	"aws_iam_role.h: assume_role_policy allows everybody": given.made("aws_iam_role.h", {"assume_role_policy": policy([anybody])}),
	"aws_iam_role.i: inline_policy allows *": given.made("aws_iam_role.i", {"assume_role_policy": trust, "inline_policy": [{"name": "x", "policy": policy([all])}]}),
	"aws_iam_role.j: attaches AdministratorAccess": given.made("aws_iam_role.j", {"assume_role_policy": trust, "managed_policy_arns": ["arn:aws:iam::aws:policy/AdministratorAccess"]}),
	"aws_iam_role_policy_attachment.k: attaches AdministratorAccess": given.made("aws_iam_role_policy_attachment.k", {"policy_arn": "arn:aws-us-gov:iam::aws:policy/AdministratorAccess"}),
	"aws_iam_user_policy_attachment.l: attaches IAMFullAccess": given.made("aws_iam_user_policy_attachment.l", {"policy_arn": "arn:aws:iam::aws:policy/IAMFullAccess"}),
	"aws_ssoadmin_permission_set_inline_policy.m: inline_policy allows *": given.made("aws_ssoadmin_permission_set_inline_policy.m", {"inline_policy": policy([all])}),
	"aws_sqs_queue_policy.n: policy allows everybody": given.made("aws_sqs_queue_policy.n", {"policy": policy([{"Effect": "Allow", "Principal": "*", "Action": "sqs:*"}])}),
	"aws_kms_key.o: policy allows everybody": given.made("aws_kms_key.o", {"policy": policy([{"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": "kms:*"}])}),
	"aws_lambda_permission.p: everybody may call the function": given.made("aws_lambda_permission.p", {"principal": "*"}),
	"google_cloud_run_service_iam_member.q: it grants to allUsers": given.made("google_cloud_run_service_iam_member.q", {"role": "roles/run.invoker", "member": "allUsers"}),
	"google_pubsub_topic_iam_binding.r: it grants to allAuthenticatedUsers": given.made("google_pubsub_topic_iam_binding.r", {"role": "roles/pubsub.viewer", "members": ["allAuthenticatedUsers"]}),
	"google_project_iam_member.s: it grants roles/owner": given.made("google_project_iam_member.s", {"role": "roles/owner", "member": "user:a@example.com"}),
	"google_project_iam_policy.t: it grants roles/owner": given.made("google_project_iam_policy.t", {"policy_data": `{"bindings":[{"role":"roles/owner","members":["user:a@example.com"]}]}`}),
	`azurerm_role_assignment.u: its role is "Owner"`: given.made("azurerm_role_assignment.u", {"role_definition_name": "Owner", "role_definition_id": null}),
	`azurerm_role_assignment.v: its role is "User Access Administrator"`: given.made("azurerm_role_assignment.v", {"role_definition_name": null, "role_definition_id": "/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/18D7D88D-D35E-4FB5-A5C3-7773C20A72D9"}),
	"azurerm_role_definition.w: it allows *": given.made("azurerm_role_definition.w", {"permissions": [{"actions": ["*"], "not_actions": ["Microsoft.Storage/*"]}]}),
	"azurerm_role_definition.x: it allows microsoft.authorization/*": given.made("azurerm_role_definition.x", {"permissions": [{"data_actions": [], "actions": ["microsoft.authorization/*"]}]}),
}

test_hit if {
	every msg, rc in hits {
		found := wildcard_iam.ask with input as plan([rc])
		given.said(found) == {msg}
	}
}

test_miss if {
	changes := [
		given.made("aws_iam_policy.a", {"policy": policy([{"Effect": "Allow", "Action": ["s3:Get*"], "Resource": "*"}])}),
		given.made("aws_iam_policy.b", {"policy": policy([object.union(all, {"Effect": "Deny"})])}),
		given.made("aws_iam_role.c", {"assume_role_policy": trust, "inline_policy": [], "managed_policy_arns": ["arn:aws:iam::123456789012:policy/AdministratorAccess"]}),
		given.made("aws_iam_role_policy_attachment.d", {"policy_arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
		given.made("aws_sqs_queue_policy.e", {"policy": policy([{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:sns:x"}}}])}),
		given.made("aws_kms_key.f", {"policy": policy([{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*"}])}),
		given.made("aws_lambda_permission.g", {"principal": "s3.amazonaws.com"}),
		given.made("google_project_iam_member.h", {"role": "roles/viewer", "member": "user:a@example.com"}),
		given.made("google_storage_bucket_iam_member.i", {"role": "roles/owner", "member": "allUsers"}), # public_bucket finds it
		given.made("azurerm_role_assignment.j", {"role_definition_name": "Reader"}),
		given.made("azurerm_role_assignment.k", {"role_definition_id": null}),
		given.made("azurerm_role_definition.l", {"permissions": [{"actions": ["Microsoft.Compute/*/read"], "not_actions": ["*"]}]}),
		given.gone("aws_iam_policy.m"),
	]
	found := (wildcard_iam.deny | wildcard_iam.ask) | wildcard_iam.warn with input as plan(changes)
	count(found) == 0
}

test_unknown if {
	changes := {
		"policy": given.dark("aws_iam_policy.a", {}, {"policy": true}),
		"inline_policy": given.dark("aws_iam_role.b", {"assume_role_policy": trust, "inline_policy": [{}]}, {"inline_policy": [{"policy": true}]}),
		"policy_arn": given.dark("aws_iam_role_policy_attachment.c", {}, {"policy_arn": true}),
		"member": given.dark("google_pubsub_topic_iam_member.d", {"role": "roles/viewer"}, {"member": true}),
		"role": given.dark("google_project_iam_member.e", {"member": "(sensitive)", "role": "(sensitive)"}, {}),
		"policy_data": given.dark("google_project_iam_policy.f", {}, {"policy_data": true}),
		"role_definition_name": given.dark("azurerm_role_assignment.g", {}, {"role_definition_name": true}),
		"permissions": given.dark("azurerm_role_definition.h", {"permissions": [{"actions": [null]}]}, {"permissions": [{"actions": [true]}]}),
	}
	every name, rc in changes {
		found := wildcard_iam.ask with input as plan([rc])
		given.said(found) == {sprintf("%s: %s is not known before the apply", [rc.address, name])}
	}
}

# Nobody but by name can be let into a project.
test_miss_member_of_a_project if {
	rc := given.dark("google_project_iam_member.a", {"role": "roles/viewer"}, {"member": true})
	found := wildcard_iam.ask with input as plan([rc])
	count(found) == 0
}

test_unknown_text if {
	every rc in [
		given.made("aws_iam_policy.a", {"policy": "{ not json"}),
		given.made("google_project_iam_policy.a", {"policy_data": "{ not json"}),
	] {
		found := wildcard_iam.ask with input as plan([rc])
		count(found) == 1
	}
}

test_unknown_unset_warns if {
	rc := given.dark("aws_iam_role.a", {"assume_role_policy": trust}, {"inline_policy": true, "managed_policy_arns": true})
	warned := wildcard_iam.warn with input as given.plan([rc], ["assume_role_policy"])
	count(warned) == 1
	asked := wildcard_iam.ask with input as given.plan([rc], ["assume_role_policy"])
	count(asked) == 0
}

# A policy of its own resource type says the same as one that is written in the resource.
test_policies_of_resources if {
	open := {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}
	closed := {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:root"}, "Action": "*", "Resource": "*"}]}
	kinds := {
		"aws_cloudwatch_log_destination_policy": "access_policy", "aws_codeartifact_domain_permissions_policy": "policy_document",
		"aws_dynamodb_resource_policy": "policy", "aws_kms_replica_key": "policy", "aws_s3_access_point": "policy",
		"aws_s3tables_table_bucket_policy": "resource_policy", "aws_vpc_endpoint_policy": "policy",
	}
	every kind, name in kinds {
		found := wildcard_iam.ask with input as plan([given.made(sprintf("%s.a", [kind]), {name: json.marshal(open)})])
		given.said(found) == {sprintf("%s.a: %s allows everybody", [kind, name])}
		none := wildcard_iam.ask with input as plan([given.made(sprintf("%s.a", [kind]), {name: json.marshal(closed)})])
		count(none) == 0
	}
}

test_tuning if {
	changes := [
		given.made("aws_iam_policy.a", {"policy": policy([object.union(all, {"Action": "ec2:*"})])}),
		given.made("google_project_iam_member.b", {"role": "roles/editor", "member": "user:a@example.com"}),
		given.made("azurerm_role_assignment.c", {"role_definition_name": "Contributor"}),
		given.made("aws_iam_role_policy_attachment.d", {"policy_arn": "arn:aws:iam::aws:policy/PowerUserAccess"}),
		given.made("azurerm_role_definition.e", {"permissions": [{"actions": ["Microsoft.Network/*"]}]}),
	]
	found := wildcard_iam.deny with input as plan(changes) with data.settings as {"terraform.wildcard_iam": {
		"effect": "deny",
		"actions": ["EC2:*"],
		"google_roles": ["roles/editor"],
		"azure_roles": ["Contributor"],
		"managed_policies": ["PowerUserAccess"],
		"azure_actions": ["microsoft.network/*"],
	}}
	count(found) == 5
}

test_tuning_wrong if {
	found := wildcard_iam.deny with input as {} with data.settings as {"terraform.wildcard_iam": {"nonsense": 1}}
	given.said(found) == {`terraform.wildcard_iam is set wrongly: it has no setting "nonsense"`}
}
