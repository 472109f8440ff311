package mooring.pack.terraform.unencrypted_storage_test

import data.mooring.pack.given
import data.mooring.pack.terraform.unencrypted_storage

plan(changes) := given.plan(changes, ["encrypted", "storage_encrypted", "encrypt_at_rest", "root_block_device", "snapshot_id", "encryption_type"])

hits := {
	"aws_ebs_volume.a: encrypted is not true": given.made("aws_ebs_volume.a", {"encrypted": false}),
	"aws_ebs_volume.b: encrypted is not set": given.made("aws_ebs_volume.b", {"encrypted": null}),
	"aws_db_instance.c: storage_encrypted is not set": given.made("aws_db_instance.c", {"storage_encrypted": null}),
	"aws_rds_cluster.d: storage_encrypted is not true": given.made("aws_rds_cluster.d", {"storage_encrypted": false, "snapshot_identifier": "s"}),
	"aws_efs_file_system.e: encrypted is not true": given.updated("aws_efs_file_system.e", {"encrypted": false}),
	"aws_elasticache_replication_group.f: at_rest_encryption_enabled is not true": given.made("aws_elasticache_replication_group.f", {"at_rest_encryption_enabled": "false"}),
	"aws_opensearch_domain.g: encrypt_at_rest.enabled is not set": given.made("aws_opensearch_domain.g", {"encrypt_at_rest": []}),
	"aws_opensearch_domain.h: encrypt_at_rest.enabled is not true": given.made("aws_opensearch_domain.h", {"encrypt_at_rest": [{"enabled": false}]}),
	"aws_redshift_cluster.i: encrypted is not true": given.made("aws_redshift_cluster.i", {"encrypted": "false"}),
	"aws_instance.j: root_block_device.encrypted is not true": given.made("aws_instance.j", {"root_block_device": [{"encrypted": false}]}),
	"aws_instance.k: ebs_block_device.encrypted is not true": given.made("aws_instance.k", {"ebs_block_device": [{"encrypted": true}, {"encrypted": false}]}),
	"aws_launch_template.l: block_device_mappings.ebs.encrypted is not true": given.made("aws_launch_template.l", {"block_device_mappings": [{"ebs": [{"encrypted": "false"}]}]}),
	"aws_kinesis_stream.m: encryption_type is not KMS": given.made("aws_kinesis_stream.m", {"encryption_type": "NONE"}),
	"aws_s3_bucket.n: server_side_encryption_configuration is empty": given.made("aws_s3_bucket.n", {"server_side_encryption_configuration": []}),
	"aws_ebs_encryption_by_default.o: enabled is not true": given.made("aws_ebs_encryption_by_default.o", {"enabled": false}),
	"azurerm_mssql_database.p: transparent_data_encryption_enabled is not true": given.made("azurerm_mssql_database.p", {"transparent_data_encryption_enabled": false}),
	"azurerm_kusto_cluster.q: disk_encryption_enabled is not true": given.made("azurerm_kusto_cluster.q", {"disk_encryption_enabled": false}),
	"azurerm_managed_disk.r: encryption_settings.enabled is not true": given.made("azurerm_managed_disk.r", {"encryption_settings": [{"enabled": false}]}),
	"azurerm_data_lake_store.s: encryption_state is Disabled": given.made("azurerm_data_lake_store.s", {"encryption_state": "Disabled"}),
}

test_hit if {
	every msg, rc in hits {
		found := unencrypted_storage.ask with input as plan([rc])
		given.said(found) == {msg}
	}
}

# The provider asks the account what it does, where nothing is written.
test_hit_computed if {
	changes := [
		given.dark("aws_ebs_volume.a", {}, {"encrypted": true}),
		given.dark("aws_rds_cluster.b", {}, {"storage_encrypted": true}),
		given.dark("aws_opensearch_domain.c", {}, {"encrypt_at_rest": true}),
	]
	found := unencrypted_storage.ask with input as given.plan(changes, ["size"])
	given.said(found) == {"aws_ebs_volume.a: encrypted is not set", "aws_rds_cluster.b: storage_encrypted is not set", "aws_opensearch_domain.c: encrypt_at_rest.enabled is not set"}
}

test_miss if {
	changes := [
		given.made("aws_ebs_volume.a", {"encrypted": true}),
		given.made("aws_db_instance.b", {"storage_encrypted": true}),
		given.made("aws_elasticache_replication_group.c", {"at_rest_encryption_enabled": "true"}),
		given.made("aws_opensearch_domain.d", {"encrypt_at_rest": [{"enabled": true}]}),
		given.made("aws_redshift_cluster.e", {"encrypted": null}),
		given.made("aws_instance.f", {"root_block_device": [], "ebs_block_device": []}),
		given.made("aws_kinesis_stream.g", {"encryption_type": "KMS"}),
		given.dark("aws_s3_bucket.h", {}, {"server_side_encryption_configuration": true}),
		given.made("azurerm_mssql_database.i", {"transparent_data_encryption_enabled": true}),
		given.made("azurerm_managed_disk.j", {"encryption_settings": []}),
		given.made("google_compute_disk.k", {"disk_encryption_key": []}),
		given.made("aws_launch_template.l", {"block_device_mappings": [{"ebs": [{"encrypted": "true"}]}, {"ebs": []}]}),
		given.gone("aws_ebs_volume.m"),
	]
	found := (unencrypted_storage.deny | unencrypted_storage.ask) | unencrypted_storage.warn with input as plan(changes)
	count(found) == 0
}

test_unknown if {
	changes := {
		"encrypted": given.dark("aws_ebs_volume.a", {}, {"encrypted": true}),
		"storage_encrypted": given.dark("aws_db_instance.b", {"storage_encrypted": "(sensitive)"}, {}),
		"encrypt_at_rest.enabled": given.dark("aws_opensearch_domain.c", {"encrypt_at_rest": [{}]}, {"encrypt_at_rest": [{"enabled": true}]}),
		"root_block_device.encrypted": given.dark("aws_instance.d", {"root_block_device": [{}]}, {"root_block_device": [{"encrypted": true}]}),
		"encryption_type": given.dark("aws_kinesis_stream.e", {}, {"encryption_type": true}),
	}
	every name, rc in changes {
		found := unencrypted_storage.ask with input as plan([rc])
		given.said(found) == {sprintf("%s: %s is not known before the apply", [rc.address, name])}
		warned := unencrypted_storage.warn with input as plan([rc]) with data.settings as {"terraform.unencrypted_storage": {"unknown": "warn"}}
		count(warned) == 1
	}
}

test_unknown_source if {
	changes := [
		given.made("aws_db_instance.a", {"storage_encrypted": null, "replicate_source_db": "arn:aws:rds:x"}),
		given.dark("aws_ebs_volume.b", {"encrypted": null}, {"snapshot_id": true}),
		given.made("aws_rds_cluster.c", {"storage_encrypted": null, "restore_to_point_in_time": [{"source_cluster_identifier": "x"}]}),
	]
	every rc in changes {
		found := unencrypted_storage.ask with input as plan([rc])
		given.said(found) == {sprintf("%s: it is encrypted if what it is made from is, which the plan does not tell", [rc.address])}
	}
}

test_desks_caches_and_launches if {
	changes := [
		given.made("aws_workspaces_workspace.a", {"root_volume_encryption_enabled": true, "user_volume_encryption_enabled": false}),
		given.made("aws_workspaces_workspace.b", {"root_volume_encryption_enabled": true, "user_volume_encryption_enabled": true}),
		given.made("aws_appsync_api_cache.c", {"at_rest_encryption_enabled": null}),
		given.made("aws_docdb_global_cluster.d", {"storage_encrypted": false}),
		given.made("aws_neptune_global_cluster.e", {"storage_encrypted": null, "source_db_cluster_identifier": "arn:x"}),
		given.made("aws_launch_configuration.f", {"root_block_device": [{"encrypted": false}], "ebs_block_device": []}),
		given.made("aws_spot_instance_request.g", {"root_block_device": [], "ebs_block_device": [{"encrypted": false}]}),
		given.made("aws_spot_instance_request.h", {"root_block_device": [{"encrypted": true}], "ebs_block_device": []}),
	]
	found := unencrypted_storage.ask with input as plan(changes)
	given.said(found) == {
		"aws_workspaces_workspace.a: user_volume_encryption_enabled is not true",
		"aws_appsync_api_cache.c: at_rest_encryption_enabled is not set",
		"aws_docdb_global_cluster.d: storage_encrypted is not true",
		"aws_neptune_global_cluster.e: it is encrypted if what it is made from is, which the plan does not tell",
		"aws_launch_configuration.f: root_block_device.encrypted is not true",
		"aws_spot_instance_request.g: ebs_block_device.encrypted is not true",
	}
}

test_tuning if {
	changes := [
		given.made("google_compute_disk.a", {"disk_encryption_key": []}),
		given.made("google_sql_database_instance.b", {"encryption_key_name": ""}),
		given.made("azurerm_managed_disk.c", {"disk_encryption_set_id": null}),
		given.dark("azurerm_managed_disk.d", {}, {"disk_encryption_set_id": true}), # not written: computed
		given.made("aws_s3_bucket_server_side_encryption_configuration.e", {"rule": [{"apply_server_side_encryption_by_default": [{"sse_algorithm": "AES256"}]}]}),
		given.made("google_sql_database_instance.f", {"encryption_key_name": "projects/x"}),
		given.made("google_compute_disk.h", {"disk_encryption_key": [{"kms_key_self_link": "x"}]}),
		given.made("aws_s3_bucket_server_side_encryption_configuration.g", {"rule": [{"apply_server_side_encryption_by_default": [{"sse_algorithm": "aws:kms"}]}]}),
		given.made("aws_s3_bucket.i", {"server_side_encryption_configuration": [{"rule": [{"apply_server_side_encryption_by_default": [{"sse_algorithm": "AES256"}]}]}]}),
	]
	none := unencrypted_storage.ask with input as plan(changes)
	count(none) == 0
	found := unencrypted_storage.ask with input as plan(changes) with data.settings as {"terraform.unencrypted_storage": {"customer_keys": true}}
	{f.subject | some f in found} == {
		"google_compute_disk.a", "google_sql_database_instance.b", "azurerm_managed_disk.c", "azurerm_managed_disk.d",
		"aws_s3_bucket_server_side_encryption_configuration.e", "aws_s3_bucket.i",
	}
	ignored := unencrypted_storage.ask with input as plan([given.made("aws_ebs_volume.a", {"encrypted": false})])
		with data.settings as {"terraform.unencrypted_storage": {"ignore_types": ["aws_ebs_volume"]}}
	count(ignored) == 0
	denied := unencrypted_storage.deny with input as plan([given.made("aws_ebs_volume.a", {"encrypted": false})])
		with data.settings as {"terraform.unencrypted_storage": {"effect": "deny"}}
	count(denied) == 1
}

test_tuning_wrong if {
	found := unencrypted_storage.deny with input as {} with data.settings as {"terraform.unencrypted_storage": {"nonsense": 1}}
	given.said(found) == {`terraform.unencrypted_storage is set wrongly: it has no setting "nonsense"`}
}
