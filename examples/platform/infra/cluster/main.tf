# One root module, two Terraform workspaces: staging and prod.

terraform {
  required_version = ">= 1.4"
}

data "terraform_remote_state" "network" {
  backend = "local"
  config = {
    path = "../network/terraform.tfstate"
  }
}

module "cluster" {
  source      = "../../modules/cluster"
  environment = terraform.workspace
  network_id  = data.terraform_remote_state.network.outputs.id
  subnets     = data.terraform_remote_state.network.outputs.subnets
  nodes       = var.nodes
}

resource "terraform_data" "database" {
  input = {
    cluster = module.cluster.name
    config = templatefile("${path.module}/database.conf.tftpl", {
      name        = module.cluster.name
      connections = 20 * var.nodes
    })
  }
}
