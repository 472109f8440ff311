package terraform

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// leastBallast is room for a result and the sealed state of a small workspace, in bytes.
const leastBallast = 256 << 10

// holdBallast takes room on the disk that what came of a command can be written into when the disk is full by then. With a state file of its
// own size it is room for the state, too. Without any, the apply goes on: the free space was looked at before.
func (s *supervisor) holdBallast() {
	size := int64(leastBallast)
	if info, err := os.Stat(s.set.StateFile); err == nil {
		size += 4 * info.Size()
	}
	_ = outside(func() error {
		file, err := s.dir.OpenFile(ballastName, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		defer file.Close()
		if reserve(file, size) == nil {
			return nil
		}
		// A file system that cannot reserve: written bytes are as good.
		zeros := make([]byte, 64<<10)
		for written := int64(0); written < size; written += int64(len(zeros)) {
			if _, err := file.Write(zeros); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *supervisor) dropBallast() { _ = outside(func() error { return s.dir.Remove(ballastName) }) }

// insist writes what must not be lost, again and again while the disk is full: until there is room for it, or somebody cancels. The state
// of an apply is in nobody's memory but this process's then.
func (s *supervisor) insist(write func() error) error {
	err := write()
	for said := false; errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT); {
		if !said {
			s.note("the disk is full: the newest state is held in memory until there is room for it")
			said = true
		}
		s.mu.Lock()
		gone := s.gone != nil && !errors.Is(s.gone, errRunnerGone)
		s.mu.Unlock()
		if gone {
			return err
		}
		time.Sleep(200 * time.Millisecond) // no event says that a disk has room
		err = write()
	}
	return err
}

// note says something to those who read what commands print.
func (s *supervisor) note(text string) {
	_, _ = s.output.Write([]byte("Mooring: " + text + "\n")) // on a full disk it is lost
	_ = s.output.Flush()
}
