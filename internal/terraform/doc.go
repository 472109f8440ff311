// Package terraform runs Terraform or OpenTofu for one workspace at a time.
//
// Four nouns. Tools finds an executable that satisfies required_version, on PATH or by a verified download. A Home is the part of the
// data directory that outlives runs: views, state files, provider packages, plan files. A Session is one workspace made ready to run:
// a private view of the checkout, a variable file, an environment by allowlist; Init, Plan, Apply, Outputs and State are its verbs.
// A Plan is a value: a file, what it holds as JSON, and the state it was made against.
//
// Terraform never runs in the checkout. It runs in a view of it, at a path that stays the same from commit to commit, so path.cwd and
// abspath() cause no changes. What it would leave in the tree has a home elsewhere: state files, the lock file that nobody committed,
// .terraform.
//
// Nothing here logs. Facts a person should know come back as Session.Notes, failures as errors: sentinels for what a caller decides
// on, *CommandError for what Terraform itself said.
package terraform
