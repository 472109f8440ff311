workspace "all" {
  dir       = "**/infra"
  workspace = replace(each.match[0], "/", "-")
}
manifests "all" {
  path    = "*/*/k8s"
  timeout = "5m"
  values  = { (each.match[1]) = upper(each.match[1]) }
}
