variable "nodes" {
  type        = number
  description = "Machines of the cluster."
}

variable "web_replicas" {
  type        = number
  description = "Pods of the web application."
}
