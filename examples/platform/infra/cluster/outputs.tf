output "database" {
  value = {
    host = "${module.cluster.name}.db.internal"
    port = 5432
  }
}

output "nodes" {
  value = module.cluster.nodes
}

output "web_replicas" {
  value = var.web_replicas
}
