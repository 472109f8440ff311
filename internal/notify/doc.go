// Package notify tells people: it takes a message, finds the channels whose routes match, and sees to it that each gets it
// once, across restarts, in its own form.
//
// A message is put into the outbox of every matching channel in the transaction that makes it true, under a key that names
// what it tells: put twice, it is told once.
package notify
