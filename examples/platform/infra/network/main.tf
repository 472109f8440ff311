terraform {
  required_version = ">= 1.4"
}

locals {
  cidr  = "10.40.0.0/16"
  zones = ["a", "b", "c"]
}

resource "terraform_data" "network" {
  input = { cidr = local.cidr }
}

module "subnets" {
  source  = "../../modules/subnets"
  network = "platform"
  cidr    = local.cidr
  zones   = local.zones
}

output "id" {
  value = terraform_data.network.id
}

output "subnets" {
  value = module.subnets.names
}
