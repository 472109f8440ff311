terraform {
  required_version = ">= 1.4"

  backend "local" {} # mooring.hcl completes it
}

variable "tenant" {
  type = string
}

variable "retention_days" {
  type = number
}

module "files" {
  source         = "../../../modules/bucket"
  tenant         = var.tenant
  retention_days = var.retention_days
}

output "bucket" {
  value = module.files.name
}

output "access_key" {
  value     = module.files.key
  sensitive = true
}
