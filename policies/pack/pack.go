// Package pack holds the rules that ship with Mooring, and says what they are.
//
// A rule is a Rego package: its annotations name it, describe it and give its usual effect and its settings. What it
// finds becomes deny, ask or warn by the effect that the server set for it, in data.settings.ID.
package pack

import (
	"embed"
	"io/fs"
)

var (
	//go:embed lib/*.rego terraform/*.rego kubernetes/*.rego
	files embed.FS
	//go:embed lib/*.rego terraform/*.rego
	planFiles embed.FS
	//go:embed lib/*.rego kubernetes/*.rego
	manifestFiles embed.FS
)

// Files are all rules as Rego modules. Their tests are not among them.
func Files() fs.FS { return files }

// FilesOf are the rules of one kind: an engine that has the others, too, reads more of a plan than it needs.
func FilesOf(kind Kind) fs.FS {
	switch kind {
	case Terraform:
		return planFiles
	case Kubernetes:
		return manifestFiles
	}
	return files
}
