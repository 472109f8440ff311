package main

import (
	"errors"
	"testing"

	"github.com/mooring-iac/mooring/cmd/mooring/control"
	"github.com/mooring-iac/mooring/runner"
)

// A server that starts holds its data directory before it listens: a command that comes between the two asks it all the same.
func TestACommandMeetsAServerThatStarts(t *testing.T) {
	server := &session{}
	broken := errors.New("the socket is damaged")
	cases := map[string]struct {
		asked []error // what asking says, one after the other; nil is an answer
		taken error
		want  error
	}{
		"it runs":                           {asked: []error{nil}},
		"it cannot be asked":                {asked: []error{broken}, want: broken},
		"there is none":                     {asked: []error{control.ErrNoServer}},
		"it listens now":                    {asked: []error{control.ErrNoServer, nil}, taken: &runner.BusyError{}},
		"another command has the directory": {asked: []error{control.ErrNoServer, control.ErrNoServer}, taken: &runner.BusyError{PID: 7}, want: runner.ErrBusy},
		"the directory is damaged":          {asked: []error{control.ErrNoServer}, taken: runner.ErrDamaged, want: runner.ErrDamaged},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			asked := 0
			got, err := reach(func() (*session, error) {
				asked++
				if err := c.asked[asked-1]; err != nil {
					return nil, err
				}
				return server, nil
			}, func() (*session, error) {
				if c.taken != nil {
					return nil, c.taken
				}
				return server, nil
			})
			if !errors.Is(err, c.want) || (err == nil) != (got == server) || asked != len(c.asked) {
				t.Errorf("%v, %v after asking %d times", got, err, asked)
			}
		})
	}
}
