//go:build !linux

package terraform

import (
	"context"
	"errors"
	"os"
	"syscall"
)

func harden() error { return nil }

func keepDescriptors(uint) {}

// Harden keeps other processes of the user out of this one, where the system knows how.
func Harden() error { return nil }

func attributes(string) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func settle(string) error { return nil }

func limits() string { return "" }

func confine(c *confinement, _ *os.File) error {
	if c.Mode != modeNone {
		return errors.New("only Linux has it")
	}
	return nil
}

// ReapOrphans is for containers, which only Linux has.
func ReapOrphans(context.Context) {}

func killHolder(int, string) error { return nil }

func reserve(*os.File, int64) error { return errors.ErrUnsupported }

// reaper does nothing: this system does not hand orphans to a supervisor.
type reaper struct{}

func newReaper(*os.File, bool) *reaper { return &reaper{} }
func (*reaper) begin() int             { return 0 }
func (*reaper) end() int               { return 0 }
func (*reaper) killTool(int)           {}
