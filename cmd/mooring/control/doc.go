// Package control lets a second Mooring ask the one that runs. The database has
// one writer, so while `mooring serve` has it, the other commands talk to the
// server over a unix socket in the data directory.
//
// Three nouns: Operations is what can be asked, a Server answers from an
// Operations, and a Client is an Operations that asks a Server. The wire is HTTP
// with JSON; work that takes time is answered with a stream of lines, events
// first and the result last.
//
// Who may ask: the socket has mode 0600 in a directory that is not others'
// either, and the kernel's word for the caller's user is checked: the server's
// own user, or root.
package control
