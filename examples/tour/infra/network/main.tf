# terraform_data stands for a real network: it needs no provider and no account,
# and Terraform keeps it in its state like any other resource.

terraform {
  required_version = ">= 1.4"
}

resource "terraform_data" "network" {
  input = {
    name = "shop"
    cidr = "10.20.0.0/16"
  }
}

resource "terraform_data" "subnet" {
  for_each = toset(["a", "b"])

  input = {
    network = terraform_data.network.id
    zone    = each.key
  }
}

output "id" {
  value = terraform_data.network.id
}

output "subnets" {
  value = { for zone, subnet in terraform_data.subnet : zone => subnet.id }
}
