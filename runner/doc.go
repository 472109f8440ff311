// Package runner takes a commit through its units to a report: the pull loop,
// runs, gates and the journal.
//
// The nouns: a Repository is what is watched; a Run is one commit taken through
// its units; a UnitResult says what happened to one of them; the Journal keeps
// runs, the memory of each unit and the decisions of people in one bbolt file.
//
// The flow, and the file in which each arrow stands:
//
//	the pull loop                loop.go
//	remote → commit              pass.go
//	commit → affected units      affected.go, departures.go, whole.go
//	units in graph order         steps.go, walk.go, execute.go
//	lock → plan → gate → apply   workspace_unit.go, continuity.go
//	outputs → manifests          manifests_unit.go
//	a person's decision          decide.go, carry.go, approved.go
//	result → journal             journal.go, memory.go
//	a working copy, planned      preview.go
package runner
