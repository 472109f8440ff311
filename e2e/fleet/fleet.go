// Package fleet writes infra repositories of any size, for benchmarks: what a
// company with thousands of root modules has, in the small.
package fleet

import (
	"fmt"
	"os"
	"path/filepath"
)

// Write makes a repository in dir with root modules live/gNN/rNNNN that share
// modules/mNNN: each root has a backend with a key of its own, two module calls,
// variables with a tfvars file, a lock file, and all but the first of a group read
// the remote state of that first one. Shared modules call one another and read a
// template. No file is committed; dir is made when absent.
func Write(dir string, roots, modules int) error {
	w := writer{dir: dir}
	for m := range modules {
		w.module(m, modules)
	}
	for r := range roots {
		w.root(r, modules)
	}
	return w.err
}

// Root is the directory of the n-th root module.
func Root(n int) string { return fmt.Sprintf("live/g%03d/r%05d", n/groupSize, n) }

const groupSize = 50

type writer struct {
	dir string
	err error
}

func (w *writer) file(name, format string, args ...any) {
	if w.err != nil {
		return
	}
	full := filepath.Join(w.dir, filepath.FromSlash(name))
	if w.err = os.MkdirAll(filepath.Dir(full), 0o755); w.err == nil {
		w.err = os.WriteFile(full, fmt.Appendf(nil, format, args...), 0o644)
	}
}

func (w *writer) module(m, modules int) {
	dir := fmt.Sprintf("modules/m%03d", m)
	call := ""
	if next := m*2 + 1; next < modules && m%3 == 0 {
		call = fmt.Sprintf("\nmodule \"inner\" {\n  source = \"../m%03d\"\n  name   = var.name\n}\n", next)
	}
	w.file(dir+"/main.tf", `locals {
  label = "${var.name}-%[1]d"
  tags  = merge(var.tags, { module = "m%03[1]d" })
}

resource "terraform_data" "this" {
  input = {
    label  = local.label
    tags   = local.tags
    script = templatefile("${path.module}/templates/init.tftpl", { name = var.name })
  }
}

resource "terraform_data" "replica" {
  count = var.replicas
  input = "${local.label}-${count.index}"
}
%[2]s`, m, call)
	w.file(dir+"/variables.tf", `variable "name" {
  type = string
}

variable "replicas" {
  type    = number
  default = %d
}

variable "tags" {
  type    = map(string)
  default = {}
}
`, m%3)
	w.file(dir+"/outputs.tf", "output \"label\" {\n  value = terraform_data.this.output.label\n}\n\noutput \"m%03d\" {\n  value = local.tags\n}\n", m)
	w.file(dir+"/templates/init.tftpl", "#!/bin/sh\necho ${name}\n")
}

func (w *writer) root(r, modules int) {
	dir := Root(r)
	state := ""
	if first := r / groupSize * groupSize; first != r {
		state = fmt.Sprintf(`
data "terraform_remote_state" "base" {
  backend = "s3"
  config = {
    bucket = local.bucket
    key    = "${local.prefix}/r%05d.tfstate"
    region = "eu-west-1"
  }
}
`, first)
	}
	calls := ""
	for i := range min(2, modules) {
		calls += fmt.Sprintf("\nmodule \"part%d\" {\n  source   = \"../../../modules/m%03d\"\n  name     = \"${var.name}-%d\"\n  replicas = var.replicas\n  tags     = local.tags\n}\n", i, (r*7+i*13)%modules, i)
	}
	w.file(dir+"/main.tf", `terraform {
  required_version = ">= 1.5"

  backend "s3" {
    bucket = "fleet-state"
    key    = "live/g%03[1]d/r%05[2]d.tfstate"
    region = "eu-west-1"
  }
}

locals {
  bucket = "fleet-state"
  prefix = "live/g%03[1]d"
  tags = {
    owner = "team-%03[1]d"
    root  = "r%05[2]d"
    env   = var.environment
  }
}
%[3]s%[4]s
resource "terraform_data" "root" {
  input = {
    name = var.name
    tags = local.tags
  }
}

output "name" {
  value = var.name
}
`, r/groupSize, r, state, calls)
	w.file(dir+"/variables.tf", `variable "name" {
  type = string
}

variable "environment" {
  type    = string
  default = "prod"
}

variable "replicas" {
  type    = number
  default = 1
}

variable "token" {
  type      = string
  default   = ""
  sensitive = true
}
`)
	w.file(dir+"/terraform.tfvars", "name        = \"r%05d\"\nenvironment = \"prod\"\nreplicas    = %d\n", r, r%3)
	w.file(dir+"/.terraform.lock.hcl", "# This file is maintained automatically by \"terraform init\".\n")
}
