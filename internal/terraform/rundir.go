package terraform

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A run directory belongs to one unit's run and to its supervisor:
//
//	lock         held by the supervisor as long as the run lives (flock: no clock, no process id that another process may get)
//	children     where there is no process namespace: held until the last descendant is gone
//	run.json     what runs here, written before the supervisor starts
//	control      a named pipe; "cancel REASON" ends what runs
//	events.jsonl what was started and how it ended
//	output       what Terraform printed, where no other file was named
//	result.json  how the last command that changes something ended; written beside and renamed, so that it is whole or not there
//	unstored.age a state that no backend took, sealed
//	*.tfplan.age a plan to keep, sealed
//	ballast      room that is let go of when a command has ended, so that what came of it can be written on a full disk
//	tmp, private, packages-*, root
//
// A runner that was killed finds it again: lock held, the run goes on and can be followed; lock free and a result, it has ended; lock free
// and none, nobody saw the end.
const (
	lockName     = "lock"
	childrenName = "children"
	runName      = "run.json"
	controlName  = "control"
	eventsName   = "events.jsonl"
	outputName   = "output"
	resultName   = "result.json"
	unstoredName = "unstored.age"
	ballastName  = "ballast"
	planSuffix   = ".tfplan.age"
)

// runRecord is run.json.
type runRecord struct {
	Format     int       `json:"format"`
	Run        string    `json:"run"` // the caller's name for it
	Repository string    `json:"repository"`
	Key        string    `json:"key"`
	Host       string    `json:"host,omitempty"` // the host name that state locks of this run show
	Mode       string    `json:"mode"`
	Started    time.Time `json:"started"`
}

// event is a line of events.jsonl.
type event struct {
	Time    time.Time `json:"time"`
	Command string    `json:"command"`
	What    string    `json:"what"` // started, ended
	Digest  string    `json:"digest,omitempty"`
	Failed  bool      `json:"failed,omitempty"`
}

// result is result.json.
type result struct {
	Format  int       `json:"format"`
	Command string    `json:"command"`
	Digest  string    `json:"digest,omitempty"` // of the plan that was applied
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended"`
	Reply   reply     `json:"reply"`
	Outputs []byte    `json:"outputs,omitempty"` // of Reply.State, sealed
}

// newRun makes the run directory of a workspace and takes its lock, which the supervisor is given.
func (h *Home) newRun(name string, record runRecord) (dir string, lock *os.File, err error) {
	random := make([]byte, 6)
	_, _ = rand.Read(random) // never fails
	dir = filepath.Join(h.runs, name+"."+hex.EncodeToString(random))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", nil, err
	}
	if lock, err = os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return dir, nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return dir, lock, err
	}
	if err := unix.Mkfifo(filepath.Join(dir, controlName), 0o600); err != nil {
		return dir, lock, fmt.Errorf("make %s: %w", controlName, err)
	}
	for _, sub := range []string{"tmp", "private", "root"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return dir, lock, err
		}
	}
	record.Format = runFormat
	data, err := json.Marshal(record)
	if err == nil {
		// Not flushed: after a power cut nothing of the run lives, and the intent in the database knows all that is in it.
		err = os.WriteFile(filepath.Join(dir, runName), data, 0o600)
	}
	return dir, lock, err
}

// writeDurable writes a file that is whole or not there, also after a power cut.
func writeDurable(name string, data []byte) error {
	beside := name + ".new"
	file, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(beside, name); err != nil {
		return err
	}
	return syncPath(filepath.Dir(name))
}

// writeResult is writeDurable inside the run directory, which has no path in the confinement.
func (s *supervisor) writeResult(req request, rep reply, began time.Time) error {
	r := result{Format: runFormat, Command: req.Verb, Digest: req.Digest, Began: began, Ended: time.Now(), Reply: rep}
	if rep.State != nil && len(rep.State.Outputs) > 0 {
		clear, err := json.Marshal(rep.State.Outputs)
		if err != nil {
			return err
		}
		var sealed bytes.Buffer
		if err := sealInto(&sealed, bytes.NewReader(clear), s.set.Recipient); err != nil {
			return err
		}
		r.Outputs = sealed.Bytes()
		without := *rep.State
		without.Outputs = nil
		r.Reply.State = &without
	}
	s.hideIn(&r.Reply)
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return s.writeFile(resultName, func(file *os.File) error {
		_, err := file.Write(data)
		return err
	})
}

// sealFile writes data sealed into the run directory.
func (s *supervisor) sealFile(name string, data *bytes.Reader) error {
	return s.writeFile(name, func(file *os.File) error { return sealInto(file, data, s.set.Recipient) })
}

// outside has f run by a thread that is not confined: rules of Landlock shut the run's own off from the run directory, whose descriptor it has.
func outside[T any](f func() T) T {
	done := make(chan T)
	go func() { done <- f() }()
	return <-done
}

// writeFile replaces a file of the run directory, flushed.
func (s *supervisor) writeFile(name string, write func(*os.File) error) error {
	return outside(func() error { return s.replaceFile(name, write) })
}

func (s *supervisor) replaceFile(name string, write func(*os.File) error) error {
	beside := name + ".new"
	file, err := s.dir.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(write(file), file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := s.dir.Rename(beside, name); err != nil {
		return err
	}
	self, err := s.dir.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(self.Sync(), self.Close())
}

// keepPlan seals a plan of the private directory into the run directory.
func (s *supervisor) keepPlan(name string) error {
	data, err := os.ReadFile(s.private(name))
	if err != nil {
		return err
	}
	return s.sealFile(name+planSuffix, bytes.NewReader(data))
}

// record appends to events.jsonl. What cannot be written is only missing there: the result counts.
// With flush it is on the disk before what it says begins.
func (s *supervisor) record(e event, flush bool) {
	data, err := json.Marshal(e)
	if err != nil {
		return
	}
	_ = outside(func() error {
		file, err := s.dir.OpenFile(eventsName, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		_, err = file.Write(append(data, '\n'))
		if flush {
			err = errors.Join(err, file.Sync())
		}
		return errors.Join(err, file.Close())
	})
}

// openControl opens the named pipe for both ends, so that it never ends.
func openControl(dir string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, controlName), os.O_RDWR, 0)
}

// Leftover is a run directory that an earlier Mooring left, or that one which was killed may still be using.
type Leftover struct {
	Dir     string
	Run     string
	Alive   bool   // its supervisor, or something that it started, lives
	Problem string // why it cannot be read: another version's, half-written; "" when it can

	result *result
}

// Look reads a run directory. It fails only where the directory itself is not there (fs.ErrNotExist) or cannot be looked at.
func (h *Home) Look(dir string) (Leftover, error) {
	left := Leftover{Dir: dir}
	if _, err := os.Stat(dir); err != nil {
		return left, err
	}
	alive, err := h.alive(dir)
	if err != nil {
		return left, err
	}
	left.Alive = alive
	var record runRecord
	switch err := readJSON(filepath.Join(dir, runName), &record); {
	case err != nil:
		left.Problem = fmt.Sprintf("run directory %s is half-written: %v", filepath.Base(dir), err)
		return left, nil
	case record.Format != runFormat:
		left.Problem = fmt.Sprintf("run directory %s is another version's (format %d, this Mooring reads %d)", filepath.Base(dir), record.Format, runFormat)
		return left, nil
	}
	left.Run = record.Run
	if alive {
		return left, nil // a result may still come
	}
	var r result
	switch err := readJSON(filepath.Join(dir, resultName), &r); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		left.Problem = fmt.Sprintf("the result in run directory %s cannot be read: %v", filepath.Base(dir), err)
	case r.Format != runFormat:
		left.Problem = fmt.Sprintf("the result in run directory %s is another version's (format %d)", filepath.Base(dir), r.Format)
	default:
		left.result = &r
	}
	return left, nil
}

func readJSON(name string, into any) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// alive tells whether anything of a run lives. Without its supervisor nobody records what the rest does, so that is ended first.
func (h *Home) alive(dir string) (bool, error) {
	held, err := lockIsHeld(filepath.Join(dir, lockName))
	if err != nil || held {
		return held, err
	}
	if err := endOrphans(dir); err != nil {
		return false, err
	}
	return lockIsHeld(filepath.Join(dir, childrenName))
}

func lockIsHeld(name string) (bool, error) {
	// A child that another goroutine forks meanwhile would have the file open, with the lock, until it becomes something else.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// Cancel asks the supervisor of a run directory to end what runs, gently. It is not there any more: fs.ErrNotExist or a no-such-device error.
func (l Leftover) Cancel(reason string) error {
	control, err := os.OpenFile(filepath.Join(l.Dir, controlName), os.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	reason = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, reason)
	_, err = control.WriteString(verbCancel + " " + reason + "\n")
	return errors.Join(err, control.Close())
}

// Known is what the events of a run directory tell, in words for a person.
func (l Leftover) Known() string {
	file, err := os.Open(filepath.Join(l.Dir, eventsName))
	if err != nil {
		return "nothing is known of what it did"
	}
	defer file.Close()
	var last event
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) == nil {
			last = e
		}
	}
	switch {
	case last.Command == "":
		return "nothing is known of what it did"
	case last.What == "started":
		return fmt.Sprintf("its supervisor began %s at %s and wrote down no end", last.Command, last.Time.UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf("its supervisor wrote that %s ended at %s", last.Command, last.Time.UTC().Format(time.RFC3339))
}

// SweepRuns removes the run directories in which nothing lives, but those to keep, by path: they hold variables in clear where there is
// no namespace to hide them in.
func (h *Home) SweepRuns(keep map[string]bool) error {
	entries, err := os.ReadDir(h.runs)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		dir := filepath.Join(h.runs, entry.Name())
		if keep[dir] {
			continue
		}
		if !entry.IsDir() { // a nameless file that a kill left with its name
			if err := os.Remove(dir); err != nil {
				return err
			}
			continue
		}
		if alive, err := h.alive(dir); err != nil || alive {
			if err != nil {
				return err
			}
			continue
		}
		if err := h.Clear(Leftover{Dir: dir}); err != nil {
			return err
		}
	}
	return nil
}

// liveRuns are the run directories of a workspace in which something lives.
func (h *Home) liveRuns(name string) ([]string, error) {
	dirs, err := filepath.Glob(filepath.Join(globQuote(h.runs), name+".*"))
	if err != nil {
		return nil, err
	}
	var live []string
	for _, dir := range dirs {
		alive, err := h.alive(dir)
		if err != nil {
			return nil, err
		}
		if alive {
			live = append(live, dir)
		}
	}
	return live, nil
}

// checkLocks makes sure that the file system knows flock: without it nobody could tell whether a run lives.
func (h *Home) checkLocks() error {
	file, err := os.CreateTemp(h.runs, ".flock-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("the file system of %s has no working flock (%w): Mooring cannot tell there whether a run still lives; put data_dir on a local file system", h.runs, err)
	}
	return nil
}
