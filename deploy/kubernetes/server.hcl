# Becomes a ConfigMap: no secret belongs in here. docs/configuration.md explains every key.

# A directory inside the volume, not its root: Kubernetes makes the root writable for the group (fsGroup), and Mooring
# refuses a data directory that others may write to. It makes this one itself, with mode 0700.
data_dir = "/var/lib/mooring/data"

# Every address of the Pod, for the probes: /healthz, /readyz and /metrics. networkpolicy.yaml says who else may ask.
listen = "0.0.0.0:4141"

# terminationGracePeriodSeconds in deployment.yaml is longer by more than 30 seconds.
grace = "2m"

repository "infra" {
  url    = "https://git.example.com/acme/infra.git"
  branch = "main"
  token  = env("GIT_TOKEN") # of the Secret "mooring", see deployment.yaml

  # Plan and report first; say after_merge when what it reports is right.
  apply = "never"
}

# The cluster it runs in, as the service account that applier.yaml gives rights to.
cluster "here" {
  in_cluster = true
  default    = true
}
