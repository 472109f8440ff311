package main

import (
	"context"
	"fmt"
	"os"
)

// stand is what Gitea's helper needs of a test. A method of it ends by a panic with a failure what failed calls.
type stand struct {
	b        *bench
	ctx      context.Context
	cleanups []func()
}

// failure is what went wrong, on its way up.
type failure struct{ error }

func (s *stand) Helper()                           {}
func (s *stand) Fatalf(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }
func (s *stand) Context() context.Context          { return s.ctx }
func (s *stand) Cleanup(f func())                  { s.cleanups = append(s.cleanups, f) }

func (s *stand) TempDir() string {
	dir, err := os.MkdirTemp(s.b.dir, "tmp-")
	s.must(err)
	return dir
}

func (s *stand) must(err error) {
	if err != nil {
		panic(failure{err})
	}
}

// attempt does something with a stand, whose failure is its error, and clears up after it; the last is undone first.
func (b *bench) attempt(ctx context.Context, do func(*stand)) (err error) {
	s := &stand{b: b, ctx: ctx}
	defer func() {
		if p := recover(); p != nil {
			failed, ok := p.(failure)
			if !ok {
				panic(p)
			}
			err = failed.error
		}
		for i := len(s.cleanups) - 1; i >= 0; i-- {
			s.cleanups[i]()
		}
	}()
	do(s)
	return nil
}
