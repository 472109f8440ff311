// Package outbox keeps what is to be told to the outside until it was told.
//
// An Item is put in the transaction that records the result it speaks of, so that
// neither is ever there without the other. Items of one queue are sent one at a
// time and in order, by a Deliverer. What was sent is removed afterwards; a crash
// between the two sends it again: at least once, so a sender must be able to
// find what it posted before and change that.
//
// Under one key of a queue waits one item. A newer one takes the place of the
// older: of ten states of a comment that nobody could post, the last is posted.
package outbox
