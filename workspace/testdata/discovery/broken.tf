module "m" {
  source = "../modules/m"
<<<<<<< HEAD
}
resource "a" "b" { x = ${ }
