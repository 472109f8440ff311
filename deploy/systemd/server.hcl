# /etc/mooring/server.hcl for mooring.service, owned by root, readable by mooring.
# docs/configuration.md explains every key.

data_dir = "/var/lib/mooring"
listen   = "127.0.0.1:4141" # /healthz, /readyz and /metrics

# TimeoutStopSec of mooring.service is longer by more than 30 seconds.
grace = "2m"

repository "infra" {
  url    = "https://git.example.com/acme/infra.git"
  branch = "main"
  token  = env("GIT_TOKEN") # GIT_TOKEN=… in /etc/mooring/environment

  # Plan and report first; say after_merge when what it reports is right.
  apply = "never"
}
