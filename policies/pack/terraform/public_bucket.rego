# METADATA
# title: A bucket for everybody
# description: >-
#   Objects may be read or written by everybody, or by everybody who has an account at the provider: by an ACL, by a bucket's
#   policy, by an IAM grant to `allUsers` or `allAuthenticatedUsers`, by a container's access type, or because a public
#   access block is loosened or destroyed. Terraform types that begin with `aws_s3_`, `google_storage_` and `azurerm_storage_`.
#   A policy statement with a condition does not count, nor does a `grant` of `aws_s3_bucket` that a dynamic block writes
#   out of values that are not known: a plan does not show it.
# custom:
#   id: terraform.public_bucket
#   effect: ask
#   remedy: Serve public files through a CDN with its own identity, or name those who need them.
#   settings:
#     strict: false
#     unknown: same
#   help:
#     strict: >-
#       Also what only makes a public bucket possible - a storage account of Azure that allows public containers, a bucket of
#       Google without enforced prevention.
#     unknown: The effect where the plan does not tell the value before the apply, or it is sensitive; `same` as the rule's.
package mooring.pack.terraform.public_bucket

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
	some msg in public(rc.type, rc)
}

findings contains {"subject": plan.subject(rc), "msg": "destroys what keeps the bucket from being public"} if {
	some rc in plan.gone
	rc.type in guards
	not plan.replaces(rc.change)
}

findings contains {"subject": plan.subject(rc), "sure": "unknown", "msg": sprintf("%s is not known before the apply", [name])} if {
	some rc in candidates
	some name in telling[rc.type]
	plan.dark(rc, name)
	plan.configured(rc, name)
}

# A policy that is JSON text in part cannot be read at all.
findings contains {"subject": plan.subject(rc), "sure": "unknown", "msg": sprintf("%s is not JSON", [name])} if {
	some rc in candidates
	name := texts[rc.type]
	text := plan.after(rc, name)
	is_string(text)
	text != ""
	not plan.dark(rc, name)
	not plan.document(text)
}

candidates := [rc | some rc in plan.written; watched[rc.type]]

watched := object.union(telling, {"azurerm_storage_account": [], "google_storage_bucket": []})

guards := {"aws_s3_bucket_public_access_block", "aws_s3_account_public_access_block"}

blocks := ["block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"]

# telling are the attributes that say whether a bucket is public.
telling := {
	"aws_s3_bucket": ["acl", "policy", "grant"],
	"aws_s3_bucket_acl": ["acl", "access_control_policy"],
	"aws_s3_bucket_object": ["acl"],
	"aws_s3_object": ["acl"],
	"aws_s3_bucket_policy": ["policy"],
	"aws_s3_bucket_public_access_block": blocks,
	"aws_s3_account_public_access_block": blocks,
	"google_storage_bucket_iam_member": ["member"],
	"google_storage_bucket_iam_binding": ["members"],
	"google_storage_bucket_iam_policy": ["policy_data"],
	"google_storage_managed_folder_iam_member": ["member"],
	"google_storage_managed_folder_iam_binding": ["members"],
	"google_storage_managed_folder_iam_policy": ["policy_data"],
	"google_storage_bucket_access_control": ["entity"],
	"google_storage_object_access_control": ["entity"],
	"google_storage_default_object_access_control": ["entity"],
	"google_storage_bucket_acl": ["predefined_acl", "default_acl", "role_entity"],
	"google_storage_object_acl": ["predefined_acl", "role_entity"],
	"google_storage_default_object_acl": ["role_entity"],
	"azurerm_storage_container": ["container_access_type"],
}

texts := {
	"aws_s3_bucket": "policy",
	"aws_s3_bucket_policy": "policy",
	"google_storage_bucket_iam_policy": "policy_data",
	"google_storage_managed_folder_iam_policy": "policy_data",
}

# public gives, for each type, why a resource makes something public.
public("aws_s3_bucket", rc) := (acl(rc, "acl") | grants(plan.list(plan.after(rc, "grant")))) | statements(rc)

public("aws_s3_bucket_acl", rc) := acl(rc, "acl") | grants([grantee |
	some control in plan.list(plan.after(rc, "access_control_policy"))
	some grant in plan.list(object.get(control, "grant", null))
	some grantee in plan.list(object.get(grant, "grantee", null))
])

public("aws_s3_object", rc) := acl(rc, "acl")

public("aws_s3_bucket_object", rc) := acl(rc, "acl")

public("aws_s3_bucket_policy", rc) := statements(rc)

public("aws_s3_bucket_public_access_block", rc) := loosened(rc)

public("aws_s3_account_public_access_block", rc) := loosened(rc)

public("google_storage_bucket_iam_member", rc) := members(plan.strings(plan.after(rc, "member")))

public("google_storage_bucket_iam_binding", rc) := members(plan.strings(plan.after(rc, "members")))

public("google_storage_bucket_iam_policy", rc) := bindings(rc)

public("google_storage_managed_folder_iam_member", rc) := members(plan.strings(plan.after(rc, "member")))

public("google_storage_managed_folder_iam_binding", rc) := members(plan.strings(plan.after(rc, "members")))

public("google_storage_managed_folder_iam_policy", rc) := bindings(rc)

public("google_storage_bucket_access_control", rc) := members(plan.strings(plan.after(rc, "entity")))

public("google_storage_object_access_control", rc) := members(plan.strings(plan.after(rc, "entity")))

public("google_storage_default_object_access_control", rc) := members(plan.strings(plan.after(rc, "entity")))

public("google_storage_bucket_acl", rc) := (acl(rc, "predefined_acl") | acl(rc, "default_acl")) | entities(rc)

public("google_storage_object_acl", rc) := acl(rc, "predefined_acl") | entities(rc)

public("google_storage_default_object_acl", rc) := entities(rc)

public("google_storage_bucket", rc) := {"public access prevention is not enforced" |
	settings.strict
	plan.after(rc, "public_access_prevention") != "enforced"
}

public("azurerm_storage_container", rc) := {sprintf("container_access_type is %q", [kind]) |
	kind := plan.after(rc, "container_access_type")
	plan.lowered(kind) in {"blob", "container"}
}

public("azurerm_storage_account", rc) := {"containers may be made public" |
	settings.strict
	plan.after(rc, "allow_nested_items_to_be_public") != false
	plan.after(rc, "allow_blob_public_access") != false
}

# acl finds the ready-made lists of S3 and of Google that let everybody in.
acl(rc, name) := {sprintf("%s is %q", [name, value]) |
	value := plan.after(rc, name)
	plan.lowered(value) in {"public-read", "public-read-write", "authenticated-read", "publicread", "publicreadwrite", "authenticatedread"}
}

grants(grantees) := {sprintf("it grants to %s", [uri]) |
	some grantee in grantees
	uri := object.get(grantee, "uri", null)
	is_string(uri)
	regex.match(`/global/(AllUsers|AuthenticatedUsers)$`, uri)
}

loosened(rc) := {sprintf("%s is not true", [name]) |
	some name in blocks
	not plan.dark(rc, name)
	plan.after(rc, name) != true
}

statements(rc) := {"its policy allows everybody" |
	some statement in iam.statements(plan.document(plan.after(rc, "policy")))
	iam.anybody(statement)
}

everybody := {"allusers", "allauthenticatedusers"}

members(all) := {sprintf("it grants to %s", [member]) |
	some member in all
	lower(member) in everybody
}

bindings(rc) := members([member |
	some binding in plan.list(plan.document(plan.after(rc, "policy_data")).bindings)
	some member in plan.strings(binding.members)
])

entities(rc) := {sprintf("it grants %s", [entity]) |
	some entity in plan.strings(plan.after(rc, "role_entity"))
	lower(split(entity, ":")[1]) in everybody
}
