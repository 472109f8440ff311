resource "terraform_data" "replica" {
  input = "${local.name}-replica of ${terraform_data.database.id}"
}
