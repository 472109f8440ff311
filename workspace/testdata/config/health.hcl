health "example.com/Widget" {
  healthy = "object.status.phase == 'Ready'"
  failed  = "object.status.phase == 'Broken'"
  message = "object.status.?reason.orValue('')"
}
health "Pod" {
  healthy = "has(object.status.podIP)"
}
