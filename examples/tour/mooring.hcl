# What Mooring cannot find out by itself. infra/network is not named here: its
# directory holds Terraform files, and that is enough.

workspace "database" {
  dir       = "infra/database"
  variables = { network_id = workspace["infra/network"].outputs.id } # the reference is the order
}

manifests "shop" {
  path = "k8s"
  values = {
    db_host  = workspace.database.outputs.host # ${db_host} in the manifests
    replicas = workspace.database.outputs.connections
  }
}
