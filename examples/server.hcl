# An operator's configuration for the examples. Try it without a cluster account
# of any kind:
#
#   git init -q -b main /tmp/tour && cp -r examples/tour/. /tmp/tour
#   git -C /tmp/tour add . && git -C /tmp/tour commit -qm "Begin"
#   mooring sync -c examples/server.hcl
#
# This file stays with the operator, outside every repository that is watched:
# it says where, who and how; mooring.hcl in the repository says what.
# docs/configuration.md explains every key.

# Database, mirrors, checkouts, and the state of root modules that have no
# backend. Relative paths start at this file.
data_dir = "/tmp/mooring-tour"

# /healthz, /readyz and /metrics. Left out, nothing listens.
listen = "127.0.0.1:4141"

# The variables of Mooring's environment that Terraform may see, by name or
# PREFIX_*. None unless they are named.
# env = ["AWS_*", "HTTPS_PROXY"]

# Plans run code of whoever wrote the commit: give them credentials that can read,
# and applies those that can write.
# plan_env  = { AWS_SECRET_ACCESS_KEY = env("PLAN_KEY") }
# apply_env = { AWS_SECRET_ACCESS_KEY = env("APPLY_KEY") }

# Terraform runs in a sandbox, the strongest that the kernel allows. What
# provisioners need beside their own files is listed here.
# sandbox {
#   mode = "required" # run nothing in a weaker one
#   read = ["/etc/mooring/ca"]
# }

repository "tour" {
  url    = "/tmp/tour" # any Git URL: https, ssh, git@host:path, or a path as here
  branch = "main"      # left out: the remote's HEAD
  poll   = "10s"

  # Begin with "never" on infrastructure that already runs: Mooring plans and
  # reports, and applies nothing until this says after_merge.
  apply = "after_merge"

  # The ceiling: what destroys or replaces waits for `mooring approve`. A
  # mooring.hcl can ask for less freedom, never for more.
  auto_apply = "no_destroy"

  # Where people review: pull requests get a comment with their plan, and what was
  # reviewed is applied after the merge. docs/review.md says what the token needs.
  # forge "gitea" { # github, gitlab
  #   url            = "https://git.example.com"
  #   repository     = "acme/tour"
  #   token          = env("GITEA_TOKEN")
  #   webhook_secret = env("WEBHOOK_SECRET") # sent to public_url/hooks/tour
  # }

  # Branches to look at without a forge: `mooring show review/NAME` has their plan.
  review_branches = ["review/*"]

  # Credentials come from the environment or a file, never from here.
  # token   = env("GIT_TOKEN")
  # ssh_key = file("/etc/mooring/id_ed25519")
}

# The cluster for manifest sets that name none. $KUBECONFIG is never read.
cluster "local" {
  kubeconfig = "/tmp/mooring-tour.kubeconfig"
  default    = true
}
