discover = true
workspace "net" { dir = "infra/network" }
workspace "x" {
  dir            = "infra/db"
  tool           = "tofu"
  backend_config = { key = "k", n = 3 }
  variables      = { a = workspace["net"].outputs.vpc_id, b = [for i in [1, 2] : i], c = sensitive("s") }
  depends_on     = [workspace.net, workspace["extra/found"]]
}
