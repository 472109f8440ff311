// Package e2e holds what is true of Mooring as a whole: tests that drive the
// binary, and the rules of the house that no single package can hold.
package e2e
