variable "network" {
  type = string
}

variable "cidr" {
  type        = string
  description = "Range that the subnets divide."
}

variable "zones" {
  type = list(string)
}

module "naming" {
  source   = "../naming"
  for_each = toset(var.zones)
  parts    = [var.network, each.key]
}

resource "terraform_data" "subnet" {
  for_each = { for i, zone in var.zones : zone => cidrsubnet(var.cidr, 8, i) }

  input = {
    name = module.naming[each.key].name
    cidr = each.value
  }
}

output "names" {
  value = [for zone in var.zones : module.naming[zone].name]
}
