workspace "a" {
  dir = "../${each.match[0]}"
  variables = workspace
}
workspace "a" { dir = "nowhere" }
manifests "b" {
  path = ["k8s"]
  kubeconfig = workspace[var.x].outputs
  cluster = null
}
drift {}
