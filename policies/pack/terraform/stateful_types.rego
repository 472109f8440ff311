package mooring.pack.terraform.stateful

# kinds says what the types of resources hold, by their names in the documentation of the providers.
kinds := object.union_n([aws, google, azure, others])

names_of(all) := {type: kind | some kind, types in all; some type in types}

aws := names_of({
	"database": [
		"aws_cloudsearch_domain", "aws_db_instance", "aws_docdb_cluster", "aws_docdb_cluster_instance",
		"aws_docdb_global_cluster", "aws_docdbelastic_cluster", "aws_dsql_cluster", "aws_dynamodb_global_table",
		"aws_dynamodb_table", "aws_dynamodb_table_replica", "aws_elasticache_cluster",
		"aws_elasticache_global_replication_group", "aws_elasticache_replication_group",
		"aws_elasticache_serverless_cache", "aws_elasticsearch_domain", "aws_finspace_kx_database", "aws_kendra_index",
		"aws_keyspaces_keyspace", "aws_keyspaces_table", "aws_lightsail_database", "aws_memorydb_cluster",
		"aws_memorydb_multi_region_cluster", "aws_neptune_cluster", "aws_neptune_cluster_instance",
		"aws_neptune_global_cluster", "aws_neptunegraph_graph", "aws_opensearch_domain",
		"aws_opensearchserverless_collection", "aws_qldb_ledger", "aws_rds_cluster", "aws_rds_cluster_instance",
		"aws_rds_global_cluster", "aws_rds_shard_group", "aws_redshift_cluster", "aws_redshiftserverless_namespace",
		"aws_simpledb_domain", "aws_timestreaminfluxdb_db_instance", "aws_timestreamwrite_database",
		"aws_timestreamwrite_table",
	],
	"snapshot": [
		"aws_ami_copy", "aws_ami_from_instance", "aws_db_cluster_snapshot", "aws_db_snapshot", "aws_db_snapshot_copy",
		"aws_docdb_cluster_snapshot", "aws_ebs_snapshot", "aws_ebs_snapshot_copy", "aws_ebs_snapshot_import",
		"aws_fsx_backup", "aws_fsx_openzfs_snapshot", "aws_memorydb_snapshot", "aws_neptune_cluster_snapshot",
		"aws_rds_cluster_snapshot_copy", "aws_redshift_cluster_snapshot", "aws_redshiftserverless_snapshot",
	],
	"volume": [
		"aws_ebs_volume", "aws_efs_file_system", "aws_finspace_kx_volume", "aws_fsx_lustre_file_system",
		"aws_fsx_ontap_file_system", "aws_fsx_ontap_volume", "aws_fsx_openzfs_file_system", "aws_fsx_openzfs_volume",
		"aws_fsx_windows_file_system", "aws_lightsail_disk", "aws_storagegateway_cached_iscsi_volume",
		"aws_storagegateway_stored_iscsi_volume", "aws_workspaces_workspace",
	],
	"bucket": [
		"aws_glacier_vault", "aws_lightsail_bucket", "aws_media_store_container", "aws_s3_bucket",
		"aws_s3_directory_bucket", "aws_s3control_bucket", "aws_s3tables_namespace", "aws_s3tables_table",
		"aws_s3tables_table_bucket", "aws_securitylake_data_lake",
	],
	"state store": [
		"aws_backup_logically_air_gapped_vault", "aws_backup_vault", "aws_cloudtrail_event_data_store",
		"aws_codeartifact_domain", "aws_codeartifact_repository", "aws_codecommit_repository",
		"aws_cognito_identity_pool", "aws_cognito_user_pool", "aws_connect_instance", "aws_customerprofiles_domain",
		"aws_directory_service_directory", "aws_ecr_repository", "aws_ecrpublic_repository", "aws_kinesis_stream",
		"aws_kinesis_video_stream", "aws_mq_broker", "aws_msk_cluster", "aws_msk_serverless_cluster", "aws_msk_topic",
		"aws_prometheus_workspace", "aws_rekognition_collection", "aws_sagemaker_feature_group",
		"aws_secretsmanager_secret", "aws_sqs_queue",
	],
	"key": [
		"aws_acmpca_certificate_authority", "aws_cloudhsm_v2_cluster", "aws_cloudhsm_v2_hsm", "aws_kms_external_key",
		"aws_kms_key", "aws_kms_replica_external_key", "aws_kms_replica_key", "aws_paymentcryptography_key",
	],
	"DNS zone": [
		"aws_lightsail_domain", "aws_route53_zone", "aws_service_discovery_private_dns_namespace",
		"aws_service_discovery_public_dns_namespace",
	],
	"registered domain": ["aws_route53domains_domain"],
	"whole account": ["aws_organizations_account"],
	"stack and all that is in it": [
		"aws_cloudformation_stack", "aws_cloudformation_stack_instances", "aws_cloudformation_stack_set_instance",
		"aws_serverlessapplicationrepository_cloudformation_stack",
	],
})

google := names_of({
	"database": [
		"google_alloydb_cluster", "google_alloydb_instance", "google_bigquery_dataset", "google_bigquery_table",
		"google_bigtable_instance", "google_bigtable_table", "google_dataproc_metastore_service",
		"google_discovery_engine_data_store", "google_firebase_database_instance", "google_firestore_database",
		"google_healthcare_dataset", "google_healthcare_dicom_store", "google_healthcare_fhir_store",
		"google_healthcare_hl7_v2_store", "google_looker_instance", "google_memcache_instance",
		"google_memorystore_instance", "google_oracle_database_autonomous_database", "google_redis_cluster",
		"google_redis_instance", "google_spanner_database", "google_spanner_instance", "google_sql_database",
		"google_sql_database_instance",
	],
	"snapshot": [
		"google_alloydb_backup", "google_compute_instant_snapshot", "google_compute_machine_image",
		"google_compute_snapshot", "google_filestore_backup", "google_filestore_snapshot", "google_netapp_backup",
		"google_netapp_volume_snapshot",
	],
	"volume": [
		"google_compute_disk", "google_compute_region_disk", "google_filestore_instance", "google_lustre_instance",
		"google_netapp_storage_pool", "google_netapp_volume", "google_parallelstore_instance",
	],
	"bucket": ["google_storage_bucket", "google_storage_folder", "google_storage_managed_folder"],
	"state store": [
		"google_artifact_registry_repository", "google_backup_dr_backup_vault", "google_managed_kafka_cluster",
		"google_managed_kafka_topic", "google_netapp_backup_vault", "google_pubsub_lite_topic",
		"google_pubsub_subscription", "google_pubsub_topic", "google_secret_manager_regional_secret",
		"google_secret_manager_secret", "google_secure_source_manager_repository", "google_sourcerepo_repository",
	],
	"key": [
		"google_kms_crypto_key", "google_kms_crypto_key_version", "google_kms_key_ring",
		"google_privateca_certificate_authority",
	],
	"DNS zone": ["google_dns_managed_zone"],
	"whole project": ["google_project"],
})

azure := names_of({
	"database": [
		"azurerm_confidential_ledger", "azurerm_cosmosdb_account", "azurerm_cosmosdb_cassandra_cluster",
		"azurerm_cosmosdb_cassandra_keyspace", "azurerm_cosmosdb_cassandra_table", "azurerm_cosmosdb_gremlin_database",
		"azurerm_cosmosdb_gremlin_graph", "azurerm_cosmosdb_mongo_collection", "azurerm_cosmosdb_mongo_database",
		"azurerm_cosmosdb_postgresql_cluster", "azurerm_cosmosdb_sql_container", "azurerm_cosmosdb_sql_database",
		"azurerm_cosmosdb_table", "azurerm_databricks_workspace", "azurerm_digital_twins_instance",
		"azurerm_healthcare_dicom_service", "azurerm_healthcare_fhir_service", "azurerm_kusto_cluster",
		"azurerm_kusto_database", "azurerm_managed_redis", "azurerm_mariadb_database", "azurerm_mariadb_server",
		"azurerm_mongo_cluster", "azurerm_mssql_database", "azurerm_mssql_elasticpool", "azurerm_mssql_managed_database",
		"azurerm_mssql_managed_instance", "azurerm_mssql_server", "azurerm_mysql_database",
		"azurerm_mysql_flexible_database", "azurerm_mysql_flexible_server", "azurerm_mysql_server",
		"azurerm_oracle_autonomous_database", "azurerm_postgresql_database", "azurerm_postgresql_flexible_server",
		"azurerm_postgresql_flexible_server_database", "azurerm_postgresql_server", "azurerm_redis_cache",
		"azurerm_redis_enterprise_cluster", "azurerm_redis_enterprise_database", "azurerm_search_service",
		"azurerm_sql_database", "azurerm_sql_server", "azurerm_synapse_sql_pool", "azurerm_synapse_workspace",
	],
	"snapshot": [
		"azurerm_backup_protected_file_share", "azurerm_backup_protected_vm", "azurerm_netapp_snapshot",
		"azurerm_postgresql_flexible_server_backup", "azurerm_snapshot",
	],
	"volume": [
		"azurerm_elastic_san", "azurerm_elastic_san_volume", "azurerm_elastic_san_volume_group", "azurerm_managed_disk",
		"azurerm_managed_lustre_file_system", "azurerm_netapp_pool", "azurerm_netapp_volume",
		"azurerm_netapp_volume_group_oracle", "azurerm_netapp_volume_group_sap_hana", "azurerm_storage_share",
	],
	"bucket": [
		"azurerm_data_lake_store", "azurerm_storage_account", "azurerm_storage_blob", "azurerm_storage_container",
		"azurerm_storage_data_lake_gen2_filesystem",
	],
	"state store": [
		"azurerm_app_configuration", "azurerm_container_registry", "azurerm_data_protection_backup_vault",
		"azurerm_eventhub", "azurerm_eventhub_namespace", "azurerm_iothub", "azurerm_key_vault",
		"azurerm_key_vault_managed_hardware_security_module", "azurerm_key_vault_secret",
		"azurerm_log_analytics_workspace", "azurerm_recovery_services_vault", "azurerm_servicebus_namespace",
		"azurerm_servicebus_queue", "azurerm_servicebus_topic", "azurerm_storage_queue", "azurerm_storage_table",
	],
	"key": ["azurerm_key_vault_certificate", "azurerm_key_vault_key", "azurerm_key_vault_managed_hardware_security_module_key"],
	"DNS zone": ["azurerm_dns_zone", "azurerm_private_dns_zone"],
	"resource group and all that is in it": ["azurerm_resource_group"],
	"whole subscription": ["azurerm_subscription"],
})

# Kubernetes through Terraform.
others := names_of({
	"volume": [
		"kubernetes_persistent_volume", "kubernetes_persistent_volume_claim", "kubernetes_persistent_volume_claim_v1",
		"kubernetes_persistent_volume_v1",
	],
	"namespace and all that is in it": ["kubernetes_namespace", "kubernetes_namespace_v1"],
})
