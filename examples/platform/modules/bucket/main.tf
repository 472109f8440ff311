variable "tenant" {
  type = string
}

variable "retention_days" {
  type = number
}

module "naming" {
  source = "../naming"
  parts  = [var.tenant, "files"]
}

resource "terraform_data" "bucket" {
  input = {
    name           = module.naming.name
    retention_days = var.retention_days
  }
}

# Stands for a key that a provider would make.
resource "terraform_data" "key" {
  input = sensitive(sha256(terraform_data.bucket.id))
}

output "name" {
  value = module.naming.name
}

output "key" {
  value     = terraform_data.key.output
  sensitive = true
}
