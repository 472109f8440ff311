// Package edit writes live values into the files that say otherwise: Terraform's, and plain manifests.
//
// It takes a unit's files and what has drifted, and answers with the files as they should be: a value is written where a file
// holds a literal for it, and nowhere else. What it cannot write it refuses with a reason and a place, for a person to read. It
// touches neither disk nor network.
//
//   - edit.go: what goes in and comes out;
//   - address.go: addresses and paths;
//   - find.go: the block of a resource, through local modules;
//   - block.go, ignored.go, add.go: from a resource's block to the attribute, what forbids to edit it, and one that is not there yet;
//   - value.go, object.go, tuple.go: the edit of one expression;
//   - tree.go: values as they are compared; write.go, heredoc.go: values as they are written;
//   - why.go: where a value comes from that is no literal;
//   - manifest.go, manifest_scalar.go: single values of objects;
//   - verify.go: an edited file is read again, and must say the new value and otherwise what it said before.
package edit
