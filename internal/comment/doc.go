// Package comment is what Mooring and people say to each other in the
// conversation of a pull request: the report that Mooring keeps up to date, its
// short answers, and the commands that people type.
//
// It is pure: text in, text out. Whatever a plan, a path, a title or a person
// wrote is contained: no fence can be closed from inside, nobody is mentioned,
// nothing is linked, no command line is left for another tool to read.
package comment
