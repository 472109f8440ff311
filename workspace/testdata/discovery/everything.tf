terraform {
  required_version = "~> 1.5"
  backend "s3" {
    bucket = "b"
    endpoints = { s3 = "http://x" }
  }
  required_providers {
    x = { source = "a/b" }
    y = "1.0"
  }
}
variable "v" { default = { a = [1, null] } }
locals {
  a = local.b
  b = "${var.v.a[0]}-${path.module}"
  t = <<-EOT
    %{ for f in fileset("${path.module}/x", "**") }${file("${path.module}/${f}")}%{ endfor }
  EOT
}
module "m" {
  source   = "../modules/m"
  for_each = toset(["a", local.b])
  x        = each.key
}
module "self" { source = "./" }
data "terraform_remote_state" "s" {
  count     = 2
  backend   = "s3"
  workspace = terraform.workspace
  config    = merge({ bucket = "b" }, { key = "k${count.index}" })
}
provider "x" { alias = "y" }
