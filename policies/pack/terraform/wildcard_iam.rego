# METADATA
# title: Rights without a bound
# description: >-
#   Rights to everything, or for everybody, are given. AWS: a policy document that allows an action such as `*`, everything
#   but a list (`NotAction`), or everybody (`Principal` `*` without a condition); the attachment of a managed policy such as
#   AdministratorAccess; `aws_lambda_permission` for `*`. Google: any `google_..._iam_member`, `_iam_binding` or `_iam_policy`
#   for `allUsers` or `allAuthenticatedUsers`, or of an owner's role (buckets have their own rule; that the member of a
#   project, folder or organization is not known yet does not count, since nobody can be let in there but by name). Azure: role definitions
#   that allow `*`, and assignments of an owner's role.
# custom:
#   id: terraform.wildcard_iam
#   effect: ask
#   remedy: Name the actions, the resources and the principals that are needed.
#   settings:
#     actions: ["*", "*:*", "iam:*"]
#     managed_policies: ["AdministratorAccess", "IAMFullAccess"]
#     google_roles: ["roles/owner"]
#     azure_roles: ["Owner", "User Access Administrator", "Role Based Access Control Administrator"]
#     azure_actions: ["*", "Microsoft.Authorization/*"]
#     unknown: same
#     unset: warn
#   help:
#     actions: Actions that no policy of AWS may allow. An action with wildcards that covers one of them counts.
#     managed_policies: Names of AWS's managed policies that may not be attached.
#     google_roles: Roles of Google that may not be given.
#     azure_roles: Built-in roles of Azure that may not be given.
#     azure_actions: Actions that no role definition of Azure may allow; wildcards count as above.
#     unknown: The effect where the plan does not tell the value before the apply, or it is sensitive; `same` as the rule's.
#     unset: >-
#       The effect where a new `aws_iam_role` has no inline policies that the plan shows - it has none, or a dynamic block
#       writes them that are not known yet; a plan does not tell the two apart.
package mooring.pack.terraform.wildcard_iam

import data.mooring.pack.iam
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

findings contains {"subject": plan.subject(rc), "msg": msg} if {
	some rc in candidates
	some msg in wide(rc)
}

findings contains {"subject": plan.subject(rc), "sure": "unknown", "msg": sprintf("%s is not known before the apply", [name])} if {
	some rc in candidates
	some name in telling(rc)
	plan.dark(rc, name)
	plan.configured(rc, name)
}

findings contains {"subject": plan.subject(rc), "sure": "unknown", "msg": sprintf("%s is not JSON", [name])} if {
	some rc in candidates
	some name in texts(rc)
	text := plan.after(rc, name)
	is_string(text)
	text != ""
	not plan.dark(rc, name)
	not plan.document(text)
}

# A plan does not show a dynamic block whose policies are not known yet, and cannot be told from a role that has none.
findings contains {"subject": plan.subject(rc), "sure": "unset", "msg": "the plan does not show its inline_policy: there is none, or a dynamic block writes it"} if {
	some rc in candidates
	rc.type == "aws_iam_role"
	rc.change.after_unknown.inline_policy == true
	not plan.configured(rc, "inline_policy")
}

candidates := [rc | some rc in plan.written; concerned(rc.type)]

concerned(type) if documents[type]

concerned(type) if attachments[type]

concerned(type) if other[type]

concerned(type) if google(type)

# documents names the attributes that hold policy documents of AWS.
documents := {
	"aws_iam_group_policy": ["policy"],
	"aws_iam_policy": ["policy"],
	"aws_iam_role": ["assume_role_policy"], # inline policies are read on their own
	"aws_iam_role_policy": ["policy"],
	"aws_iam_user_policy": ["policy"],
	"aws_ssoadmin_permission_set_inline_policy": ["inline_policy"],
	"aws_acmpca_policy": ["policy"],
	"aws_backup_vault_policy": ["policy"],
	"aws_cloudwatch_event_bus_policy": ["policy"],
	"aws_cloudwatch_log_destination_policy": ["access_policy"],
	"aws_cloudwatch_log_resource_policy": ["policy_document"],
	"aws_codeartifact_domain_permissions_policy": ["policy_document"],
	"aws_codeartifact_repository_permissions_policy": ["policy_document"],
	"aws_codebuild_resource_policy": ["policy"],
	"aws_dynamodb_resource_policy": ["policy"],
	"aws_ecr_registry_policy": ["policy"],
	"aws_ecr_repository_policy": ["policy"],
	"aws_efs_file_system_policy": ["policy"],
	"aws_elasticsearch_domain": ["access_policies"],
	"aws_elasticsearch_domain_policy": ["access_policies"],
	"aws_glacier_vault": ["access_policy"],
	"aws_glue_resource_policy": ["policy"],
	"aws_kinesis_resource_policy": ["policy"],
	"aws_kms_external_key": ["policy"],
	"aws_kms_key": ["policy"],
	"aws_kms_key_policy": ["policy"],
	"aws_kms_replica_external_key": ["policy"],
	"aws_kms_replica_key": ["policy"],
	"aws_media_store_container_policy": ["policy"],
	"aws_msk_cluster_policy": ["policy"],
	"aws_networkfirewall_resource_policy": ["policy"],
	"aws_opensearch_domain": ["access_policies"],
	"aws_opensearch_domain_policy": ["access_policies"],
	"aws_redshift_resource_policy": ["policy"],
	"aws_s3_access_point": ["policy"],
	"aws_s3control_access_point_policy": ["policy"],
	"aws_s3control_bucket_policy": ["policy"],
	"aws_s3control_object_lambda_access_point_policy": ["policy"],
	"aws_s3tables_table_bucket_policy": ["resource_policy"],
	"aws_s3tables_table_policy": ["resource_policy"],
	"aws_sagemaker_model_package_group_policy": ["resource_policy"],
	"aws_schemas_registry_policy": ["policy"],
	"aws_secretsmanager_secret": ["policy"],
	"aws_secretsmanager_secret_policy": ["policy"],
	"aws_ses_identity_policy": ["policy"],
	"aws_sesv2_email_identity_policy": ["policy"],
	"aws_sns_topic": ["policy"],
	"aws_sns_topic_policy": ["policy"],
	"aws_sqs_queue": ["policy"],
	"aws_sqs_queue_policy": ["policy"],
	"aws_vpc_endpoint": ["policy"],
	"aws_vpc_endpoint_policy": ["policy"],
	"aws_vpclattice_auth_policy": ["policy"],
	"aws_vpclattice_resource_policy": ["policy"],
}

# A policy of a resource is bound to the resource: kms:* there is what AWS itself writes.
bound := {type | some type, _ in documents; not startswith(type, "aws_iam_"); not startswith(type, "aws_ssoadmin_")}

attachments := {
	"aws_iam_group_policy_attachment": "policy_arn",
	"aws_iam_policy_attachment": "policy_arn",
	"aws_iam_role": "managed_policy_arns",
	"aws_iam_role_policy_attachment": "policy_arn",
	"aws_iam_role_policy_attachments_exclusive": "policy_arns",
	"aws_iam_user_policy_attachment": "policy_arn",
	"aws_ssoadmin_managed_policy_attachment": "managed_policy_arn",
}

other := {
	"aws_iam_role": ["inline_policy"],
	"aws_lambda_permission": ["principal"],
	"azurerm_role_assignment": ["role_definition_name", "role_definition_id"],
	"azurerm_role_definition": ["permissions"],
}

telling(rc) := array.concat(array.concat(object.get(documents, rc.type, []), attached), object.get(other, rc.type, [])) if {
	not google(rc.type)
	attached := [name | name := attachments[rc.type]]
} else := ["role", "policy_data"] if {
	regex.match(`^google_(project|folder|organization)_iam_`, rc.type) # where nobody can be let in but by name
} else := ["member", "members", "role", "policy_data"]

texts(rc) := documents[rc.type]

texts(rc) := ["policy_data"] if {
	google(rc.type)
	endswith(rc.type, "_iam_policy")
}

google(type) if {
	startswith(type, "google_")
	not startswith(type, "google_storage_")
	some end in ["_iam_member", "_iam_binding", "_iam_policy"]
	endswith(type, end)
}

# wide gives why a resource gives rights without a bound.
wide(rc) := (from_documents(rc) | from_attachments(rc)) | from_inline(rc) if startswith(rc.type, "aws_iam_")

wide(rc) := from_documents(rc) | from_attachments(rc) if startswith(rc.type, "aws_ssoadmin_")

wide(rc) := from_documents(rc) if rc.type in bound

wide(rc) := {"everybody may call the function" | plan.after(rc, "principal") == "*"} if rc.type == "aws_lambda_permission"

wide(rc) := from_google(rc) if google(rc.type)

wide(rc) := {sprintf("its role is %q", [name]) | name := azure_role(rc); name in settings.azure_roles} if rc.type == "azurerm_role_assignment"

wide(rc) := from_definition(rc) if rc.type == "azurerm_role_definition"

from_documents(rc) := {sprintf("%s %s", [name, why]) |
	some name in documents[rc.type]
	some statement in iam.statements(plan.document(plan.after(rc, name)))
	some why in too_much(rc.type, statement)
}

from_inline(rc) := {sprintf("inline_policy %s", [why]) |
	rc.type == "aws_iam_role"
	some block in plan.list(plan.after(rc, "inline_policy"))
	some statement in iam.statements(plan.document(object.get(block, "policy", null)))
	some why in too_much(rc.type, statement)
}

too_much(type, statement) := {"allows everybody" | iam.anybody(statement)} if type in bound

too_much(type, statement) := ({sprintf("allows %s", [action]) |
	some action in iam.actions(statement)
	some whole in settings.actions
	iam.covers(action, lower(whole))
} | {"allows all but what it names" | statement.notaction}) | {"allows everybody" | iam.anybody(statement)} if {
	not type in bound
}

from_attachments(rc) := {sprintf("attaches %s", [policy]) |
	some arn in plan.strings(plan.after(rc, attachments[rc.type]))
	some policy in settings.managed_policies
	regex.match(`^arn:aws[a-z-]*:iam::aws:policy/`, arn)
	endswith(arn, concat("", ["/", policy]))
}

from_google(rc) := {sprintf("it grants to %s", [member]) |
	some grant in grants(rc)
	some member in grant.members
	lower(member) in {"allusers", "allauthenticatedusers"}
} | {sprintf("it grants %s", [grant.role]) |
	some grant in grants(rc)
	grant.role in settings.google_roles
}

grants(rc) := [{"role": plan.after(rc, "role"), "members": array.concat(plan.strings(plan.after(rc, "member")), plan.strings(plan.after(rc, "members")))}] if {
	not endswith(rc.type, "_iam_policy")
}

grants(rc) := [{"role": object.get(binding, "role", null), "members": plan.strings(object.get(binding, "members", null))} |
	some binding in plan.list(plan.document(plan.after(rc, "policy_data")).bindings)
] if {
	endswith(rc.type, "_iam_policy")
}

# Azure's roles by the ends of their identifiers, which are the same everywhere.
role_ids := {
	"8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
	"18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
	"f58310d9-a9f6-439a-9e8d-f62e7b41a168": "Role Based Access Control Administrator",
}

azure_role(rc) := plan.after(rc, "role_definition_name") if {
	is_string(plan.after(rc, "role_definition_name"))
} else := role_ids[regex.find_n(`[0-9a-f-]{36}$`, plan.lowered(plan.after(rc, "role_definition_id")), 1)[0]] if {
	is_string(plan.after(rc, "role_definition_id"))
}

from_definition(rc) := {sprintf("it allows %s", [action]) |
	some permission in plan.list(plan.after(rc, "permissions"))
	some name in ["actions", "data_actions"]
	some action in plan.strings(object.get(permission, name, null))
	some whole in settings.azure_actions
	iam.covers(lower(action), lower(whole))
}
