// Package web is what Mooring offers over HTTP: whether it is alive, whether it
// is ready, and its metrics. Everything is plain text and only to be read.
package web
