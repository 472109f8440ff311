# One place that decides what things are called.

variable "parts" {
  type        = list(string)
  description = "Words of the name, from the general to the particular."
}

output "name" {
  value = join("-", concat(["plat"], var.parts))
}
