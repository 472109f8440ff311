// Package report prints what Mooring did for people: the report of a run, the
// tables of runs and locks, progress while something runs, and the diagnostics
// of configuration files.
//
// Everything that comes from outside (commit subjects, error texts, ids, lines
// of Terraform) goes through Clean or CleanLine before it is written: no text of
// a repository may move a person's cursor or recolour their terminal.
//
// The same layout is printed everywhere; colours and symbols only where the
// Style says that a terminal reads.
package report
