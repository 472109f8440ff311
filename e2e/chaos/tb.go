package main

import (
	"context"
	"os"
)

// These make a world what githttp needs of a test.

func (w *world) Helper()                           {}
func (w *world) Fatalf(format string, args ...any) { w.failf(format, args...) }
func (w *world) Context() context.Context          { return w.ctx }
func (w *world) Cleanup(f func())                  { w.servers = append(w.servers, &server{cleanup: f}) }

func (w *world) TempDir() string {
	dir, err := os.MkdirTemp(w.dir, "tmp-")
	w.must(err, "make a directory")
	return dir
}
