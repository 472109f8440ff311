// Package locks says who holds a workspace, for which run, since when and why.
//
// Four nouns: a Key names what is locked, a Holder says who has it and why, a
// Lock is the two together, and a HeldError is the answer to a second taker.
//
// The locks live in one bucket of the runner's bbolt file. Every function takes
// the caller's transaction, so that a lock and the intent it protects become
// durable together or not at all. Nothing here expires: no clock decides who
// holds a workspace.
package locks
