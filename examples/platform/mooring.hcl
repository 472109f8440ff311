# The platform of a company with two environments and some tenants.
#
# infra/network is found without a block. infra/cluster runs once for each
# environment, as two Terraform workspaces of one root module; it reads the
# network's state by itself (terraform_remote_state), which is an edge too.

workspace "staging" {
  dir       = "infra/cluster"
  workspace = "staging"
  var_files = ["staging.tfvars"]
}

workspace "prod" {
  dir        = "infra/cluster"
  workspace  = "prod"
  var_files  = ["prod.tfvars"]
  auto_apply = "never" # every change to production waits for a person
}

manifests "web-staging" {
  path = "apps/web/overlays/staging"
  values = {
    db_host  = workspace.staging.outputs.database.host
    db_port  = workspace.staging.outputs.database.port
    replicas = workspace.staging.outputs.web_replicas
  }
}

manifests "web-prod" {
  path = "apps/web/overlays/prod"
  values = {
    db_host  = workspace.prod.outputs.database.host
    db_port  = workspace.prod.outputs.database.port
    replicas = workspace.prod.outputs.web_replicas
  }
  depends_on = [manifests.web-staging] # production after staging is healthy
}

# One block for every tenant, also for those who come later: each.match[0] is
# what the * stood for, and the unit's id is its directory.

workspace "tenants" {
  dir            = "tenants/*/infra"
  backend_config = { path = "${each.match[0]}.tfstate" } # completes backend "local" {}
  var_files      = ["../../common.tfvars", "../tenant.tfvars"]
  variables      = { tenant = each.match[0] }
}

manifests "tenants" {
  path = "tenants/*/k8s"
  values = {
    tenant = each.match[0]
    bucket = workspace["tenants/${each.match[0]}/infra"].outputs.bucket
    key    = workspace["tenants/${each.match[0]}/infra"].outputs.access_key # sensitive: only a Secret may hold it
  }
}
