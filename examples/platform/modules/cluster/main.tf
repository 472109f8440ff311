variable "environment" {
  type = string
}

variable "network_id" {
  type = string
}

variable "subnets" {
  type = list(string)
}

variable "nodes" {
  type = number

  validation {
    condition     = var.nodes > 0
    error_message = "A cluster has at least one node."
  }
}

module "naming" {
  source = "../naming"
  parts  = [var.environment, "cluster"]
}

resource "terraform_data" "control_plane" {
  input = {
    name    = module.naming.name
    network = var.network_id
  }
}

resource "terraform_data" "node" {
  count = var.nodes

  input = {
    name    = "${module.naming.name}-${count.index}"
    subnet  = var.subnets[count.index % length(var.subnets)]
    cluster = terraform_data.control_plane.id
  }
}

output "name" {
  value = module.naming.name
}

output "nodes" {
  value = [for node in terraform_data.node : node.output.name]
}
