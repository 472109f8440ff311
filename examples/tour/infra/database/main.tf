terraform {
  required_version = ">= 1.4"
}

variable "network_id" {
  type        = string
  description = "Network the database listens in."
}

locals {
  name        = "orders"
  connections = 2
}

resource "terraform_data" "database" {
  input = {
    host        = "${local.name}.db.internal"
    network     = var.network_id
    connections = local.connections
  }
}

output "host" {
  value = terraform_data.database.output.host
}

output "connections" {
  value = terraform_data.database.output.connections
}
