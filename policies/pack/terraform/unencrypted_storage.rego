# METADATA
# title: Storage is not encrypted
# description: >-
#   A volume, file system, database, cache, search domain or stream of AWS, or a store of Azure that can be, is not encrypted at
#   rest. Google encrypts everything, and so does Azure nearly everywhere; with `customer_keys` the rule asks for a key of
#   your own there, too. An attribute that is not written counts by the provider's documented default; the root
#   volume of an `aws_instance` or a launch configuration without such a block, which is the image's and the account's, is left aside.
# custom:
#   id: terraform.unencrypted_storage
#   effect: ask
#   remedy: Turn encryption on. For most types that makes the resource anew, so do it before there are data.
#   settings:
#     customer_keys: false
#     ignore_types: []
#     unknown: same
#   help:
#     customer_keys: Google's and Azure's stores, and S3, have to name a key of your own.
#     ignore_types: Types of resources that are not looked at.
#     unknown: The effect where the plan does not tell the value before the apply, or it is sensitive; `same` as the rule's.
package mooring.pack.terraform.unencrypted_storage

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

findings contains {"subject": plan.subject(rc), "msg": sprintf("%s is not true", [flag.name])} if {
	some rc in stores
	some flag in flags[rc.type]
	"off" in readings(rc, flag)
}

findings contains {"subject": plan.subject(rc), "msg": sprintf("%s is not set", [flag.name])} if {
	some rc in stores
	some flag in flags[rc.type]
	flag.needed
	"unset" in readings(rc, flag)
	not inherits(rc)
}

findings contains {"subject": plan.subject(rc), "sure": "unknown", "msg": sprintf("%s is not known before the apply", [flag.name])} if {
	some rc in stores
	some flag in flags[rc.type]
	"unknown" in readings(rc, flag)
}

findings contains {"subject": plan.subject(rc), "sure": "unknown", "msg": "it is encrypted if what it is made from is, which the plan does not tell"} if {
	some rc in stores
	some flag in flags[rc.type]
	flag.needed
	"unset" in readings(rc, flag)
	inherits(rc)
}

findings contains {"subject": plan.subject(rc), "msg": sprintf("%s names no key of your own", [name])} if {
	settings.customer_keys
	some rc in stores
	name := keys[rc.type]
	keyless(rc, name)
}

findings contains {"subject": plan.subject(rc), "sure": "unknown", "msg": sprintf("%s is not known before the apply", [name])} if {
	some rc in stores
	some name in telling[rc.type]
	plan.dark(rc, name)
	plan.configured(rc, name)
}

findings contains {"subject": plan.subject(rc), "msg": why} if {
	some rc in stores
	some why in odd(rc.type, rc)
}

stores := [rc | some rc in plan.written; watched[rc.type]]

watched := object.remove(object.union_n([flags, keys, telling, {"aws_s3_bucket": [], "aws_s3_bucket_server_side_encryption_configuration": []}]), settings.ignore_types)

# flags are the attributes that turn encryption on, some of them in blocks; needed where nothing written means no
# encryption.
flags := {
	"aws_ami_copy": [attribute("encrypted", true)],
	"aws_appsync_api_cache": [attribute("at_rest_encryption_enabled", true)],
	"aws_db_instance": [attribute("storage_encrypted", true)],
	"aws_dax_cluster": [nested("server_side_encryption", "enabled", true)],
	"aws_docdb_cluster": [attribute("storage_encrypted", true)],
	"aws_docdb_global_cluster": [attribute("storage_encrypted", true)],
	"aws_ebs_encryption_by_default": [attribute("enabled", false)],
	"aws_ebs_snapshot_copy": [attribute("encrypted", true)],
	"aws_ebs_volume": [attribute("encrypted", true)],
	"aws_efs_file_system": [attribute("encrypted", true)],
	"aws_elasticache_replication_group": [attribute("at_rest_encryption_enabled", true)],
	"aws_elasticsearch_domain": [nested("encrypt_at_rest", "enabled", true)],
	"aws_instance": [nested("root_block_device", "encrypted", false), nested("ebs_block_device", "encrypted", false)],
	"aws_launch_configuration": [nested("root_block_device", "encrypted", false), nested("ebs_block_device", "encrypted", false)],
	"aws_neptune_cluster": [attribute("storage_encrypted", true)],
	"aws_neptune_global_cluster": [attribute("storage_encrypted", true)],
	"aws_opensearch_domain": [nested("encrypt_at_rest", "enabled", true)],
	"aws_rds_cluster": [attribute("storage_encrypted", true)],
	"aws_rds_global_cluster": [attribute("storage_encrypted", true)],
	"aws_redshift_cluster": [attribute("encrypted", false)],
	"aws_spot_instance_request": [nested("root_block_device", "encrypted", false), nested("ebs_block_device", "encrypted", false)],
	"aws_workspaces_workspace": [attribute("root_volume_encryption_enabled", true), attribute("user_volume_encryption_enabled", true)],
	"azurerm_kusto_cluster": [attribute("disk_encryption_enabled", true)],
	"azurerm_managed_disk": [nested("encryption_settings", "enabled", false)],
	"azurerm_mssql_database": [attribute("transparent_data_encryption_enabled", false)],
	"azurerm_snapshot": [nested("encryption_settings", "enabled", false)],
}

attribute(name, needed) := {"name": name, "needed": needed}

nested(block, name, needed) := {"block": block, "attribute": name, "name": sprintf("%s.%s", [block, name]), "needed": needed}

# readings are what a flag says: on, off, unset, unknown. Each block says it for itself.
readings(rc, flag) := {read(rc, flag.name)} if not flag.block

readings(rc, flag) := {"unset"} if unwritten(rc, flag.block)

readings(rc, flag) := {"unknown"} if {
	plan.dark_in(rc, flag.block, [flag.attribute])
	not unwritten(rc, flag.block)
}

readings(rc, flag) := {judged(object.get(block, flag.attribute, null)) | some block in blocks} if {
	blocks := plan.list(plan.after(rc, flag.block))
	count(blocks) > 0
	not plan.dark_in(rc, flag.block, [flag.attribute])
}

read(rc, name) := "unknown" if {
	plan.dark(rc, name)
	plan.configured(rc, name)
}

read(rc, name) := "unset" if {
	plan.dark(rc, name)
	not plan.configured(rc, name)
}

read(rc, name) := judged(plan.after(rc, name)) if not plan.dark(rc, name)

unwritten(rc, block) if {
	rc.change.after_unknown[block] == true
	not plan.configured(rc, block)
}

unwritten(rc, block) if {
	not plan.dark(rc, block)
	count(plan.list(plan.after(rc, block))) == 0
}

judged(value) := "on" if value in {true, "true"}

judged(value) := "unset" if value in {null, ""}

judged(value) := "off" if not value in {true, "true", null, ""}

# inherits tells that a store is made from another, and is encrypted as that one is.
inherits(rc) if {
	some name in sources
	not empty(plan.after(rc, name))
}

inherits(rc) if {
	some name in sources
	plan.dark(rc, name)
	plan.configured(rc, name)
}

sources := [
	"global_cluster_identifier", "replicate_source_db", "replication_source_identifier", "restore_to_point_in_time",
	"snapshot_id", "snapshot_identifier", "source_db_cluster_identifier",
]

empty(value) if value in {null, "", false}

empty(value) if {
	is_array(value)
	count(value) == 0
}

# keys are the attributes that name a key of one's own.
keys := {
	"azurerm_container_registry": "encryption",
	"azurerm_cosmosdb_account": "key_vault_key_id",
	"azurerm_managed_disk": "disk_encryption_set_id",
	"azurerm_mssql_database": "transparent_data_encryption_key_vault_key_id",
	"azurerm_mysql_flexible_server": "customer_managed_key",
	"azurerm_postgresql_flexible_server": "customer_managed_key",
	"google_alloydb_cluster": "encryption_config",
	"google_artifact_registry_repository": "kms_key_name",
	"google_bigquery_dataset": "default_encryption_configuration",
	"google_bigquery_table": "encryption_configuration",
	"google_compute_disk": "disk_encryption_key",
	"google_compute_region_disk": "disk_encryption_key",
	"google_filestore_instance": "kms_key_name",
	"google_pubsub_topic": "kms_key_name",
	"google_redis_instance": "customer_managed_key",
	"google_spanner_database": "encryption_config",
	"google_sql_database_instance": "encryption_key_name",
	"google_storage_bucket": "encryption",
}

keyless(rc, name) if {
	not plan.dark(rc, name)
	empty(plan.after(rc, name))
}

# A key that the provider computes is the provider's.
keyless(rc, name) if {
	plan.dark(rc, name)
	not plan.configured(rc, name)
}

# telling are the attributes of types that say it in their own way.
telling := {
	"aws_kinesis_stream": ["encryption_type"],
	"aws_launch_template": ["block_device_mappings"],
	"azurerm_data_lake_store": ["encryption_state"],
}

# odd are types that say it in their own way.
odd("aws_kinesis_stream", rc) := {"encryption_type is not KMS" |
	not plan.dark(rc, "encryption_type")
	plan.after(rc, "encryption_type") != "KMS"
}

odd("azurerm_data_lake_store", rc) := {"encryption_state is Disabled" |
	plan.after(rc, "encryption_state") == "Disabled"
}

odd("aws_launch_template", rc) := {"block_device_mappings.ebs.encrypted is not true" |
	some mapping in plan.list(plan.after(rc, "block_device_mappings"))
	some ebs in plan.list(object.get(mapping, "ebs", null))
	judged(object.get(ebs, "encrypted", null)) == "off"
}

# Buckets of the providers before 4.0, which show that there is no configuration. Later ones leave it to S3, which
# encrypts since 2023.
odd("aws_s3_bucket", rc) := {"server_side_encryption_configuration is empty" | plan.after(rc, name) == []} | without_key(rc, plan.after(rc, name)) if {
	name := "server_side_encryption_configuration"
}

odd("aws_s3_bucket_server_side_encryption_configuration", rc) := without_key(rc, [rc.change.after])

without_key(rc, configurations) := {"S3 is not told to use a key of your own" |
	settings.customer_keys
	some configuration in plan.list(configurations)
	some part in plan.list(object.get(configuration, "rule", null))
	some usual in plan.list(object.get(part, "apply_server_side_encryption_by_default", null))
	not startswith(plan.lowered(object.get(usual, "sse_algorithm", null)), "aws:kms")
}
