package terraform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
)

// superviseCommand is the hidden command of the binary that makes it a supervisor.
const superviseCommand = "supervise"

// Descriptors that a supervisor inherits.
const (
	fdRequests = 0        // a socket: what to do
	fdFrames   = 2 + iota // to the runner
	fdPID                 // where the shim writes its process id, which becomes the tool's
	fdPIDs                // the other end of it
)

// A process whose arguments say so is a supervisor, in every program that has this package, its tests included. It is one from here on, before
// most of the program's other packages have initialised themselves for nothing: that would take three quarters of its start, for every unit.
//
// Go initialises a package when all that it imports is, and of those that are ready the one that comes first in the alphabet. With net/http
// among its imports this one was nearly the last, after Helm and all that checks its charts: 12 ms of processor time a start, and 6.5 without.
// So what needs it is in packages of its own that the runner hands in: releases and holder. A test in star_test.go keeps it so.
func init() {
	if code, isSupervisor := superviseIf(os.Args); isSupervisor {
		os.Exit(code)
	}
}

// superviseIf is the life of a supervisor, when the arguments are one's, and its exit code. The last argument is for people who list
// processes: the run directory, or where those are.
//
// A supervisor runs the Terraform commands of one unit's run, one after the other, each started by terraform-exec. It outlives the runner:
// when that is gone, a command that changes something goes on to its end, and what came of it is in the run directory. Everything else is
// ended. See the package's documentation of the run directory in rundir.go.
//
// One that only looked, and is as it was before, is given the next run of that kind: see pool.go.
func superviseIf(args []string) (code int, isSupervisor bool) {
	if len(args) != 3 || args[1] != superviseCommand {
		return 0, false
	}
	if err := supervise(); err != nil {
		fmt.Fprintln(os.Stderr, "supervise:", err)
		return 1, true
	}
	return 0, true
}

// supervisorProcess is what a supervisor does for all its runs, one after the other.
type supervisorProcess struct {
	from     *receiver // of requests, and of the files that come with the setup
	requests chan request
	frames   *frameWriter
	pids     *os.File // where the shim tells the tool's process id
	reap     *reaper  // from the first run on
	limits   string   // of the process, before the first run

	mu      sync.Mutex // guards what follows
	running context.CancelCauseFunc
	durable bool  // what runs changes something: it goes on without the runner
	gone    error // why nothing may begin any more
}

var (
	errRunnerGone = errors.New("mooring ended")
	errTimeout    = errors.New("it took too long")
)

func supervise() error {
	runtime.LockOSThread()  // the first thread is nobody's run: it does not end with a goroutine, and its root is the process's in /proc
	debug.SetGCPercent(300) // it lives shortly and makes little garbage: below 16 MB none is collected
	if err := harden(); err != nil {
		return err
	}
	for _, fd := range []int{fdFrames, fdPIDs} {
		syscall.CloseOnExec(fd)
	}
	keepDescriptors(fdPIDs + 1) // whatever else Mooring was started with is not for Terraform
	pipes := map[int]*os.File{}
	for _, fd := range []int{fdRequests, fdFrames, fdPIDs} {
		var err error
		if pipes[fd], err = openPipe(fd); err != nil {
			return err
		}
	}
	p := &supervisorProcess{
		from: &receiver{socket: pipes[fdRequests]}, requests: make(chan request), frames: newFrameWriter(pipes[fdFrames]), pids: pipes[fdPIDs],
	}
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		for range signals {
			p.stop(errors.New("the supervisor was told to stop"))
		}
	}()
	go p.read()
	for first := range p.requests {
		if first.Verb != verbBegin || first.Setup == nil {
			return fmt.Errorf("a run begins with its setup, not with %q", first.Verb)
		}
		if again, err := p.oversee(*first.Setup); err != nil || !again {
			return err
		}
		if err := writeReply(p.frames, reply{}); err != nil {
			return nil // nobody asks any more
		}
	}
	return nil
}

// read takes what the runner says until that is gone.
func (p *supervisorProcess) read() {
	defer close(p.requests)
	from := json.NewDecoder(p.from)
	for {
		var req request
		if err := from.Decode(&req); err != nil {
			p.abandoned()
			return
		}
		if req.Verb == verbCancel {
			p.cancel(errors.New(req.Reason))
			continue
		}
		p.requests <- req
	}
}

// oversee is one run. again tells that nothing of it is left and another one may follow.
func (p *supervisorProcess) oversee(set setup) (again bool, err error) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		// Terraform is killed when the thread that started it ends, and the confinement is the thread's own: all that is done for the run is
		// done on this one. It is never unlocked, so it ends with the run.
		runtime.LockOSThread()
		s := &supervisor{supervisorProcess: p, set: set}
		again, err = s.live()
	}()
	<-over
	if !again || err != nil || set.Confine.Mode != modeNamespaces {
		return false, err
	}
	return p.stopped() == nil && limits() == p.limits, nil
}

// openPipe takes an inherited pipe for one that is waited for by polling. A thread that waits for it in the kernel would keep the one
// processor that a supervisor has, and everything else with it, until the runtime's watchdog takes it away up to 10 ms later: that is
// more than a supervisor needs for all it does for a command.
func openPipe(fd int) (*os.File, error) {
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("open inherited descriptor %d: %w", fd, err)
	}
	return os.NewFile(uintptr(fd), fmt.Sprintf("descriptor %d", fd)), nil
}

// cancel ends the command that runs, gently: Terraform is interrupted, and killed after the grace period.
func (p *supervisorProcess) cancel(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil {
		p.running(why)
	}
}

// stop is cancel, and nothing begins after it.
func (p *supervisorProcess) stop(why error) {
	p.mu.Lock()
	p.gone = why
	p.mu.Unlock()
	p.cancel(why)
}

// stopped says why nothing may begin any more; nil where it may.
func (p *supervisorProcess) stopped() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone
}

// abandoned: the runner is gone. What changes something goes on; whatever else there is would be for nobody.
func (p *supervisorProcess) abandoned() {
	p.mu.Lock()
	p.gone = errRunnerGone
	durable := p.durable
	p.mu.Unlock()
	if !durable {
		p.cancel(errRunnerGone)
	}
}

// enter makes the context of a command. It fails when nothing may begin any more.
func (p *supervisorProcess) enter(durable bool, timeout time.Duration) (context.Context, func(), error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone != nil {
		return nil, nil, p.gone
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	p.running, p.durable = cancel, durable
	var timer *time.Timer
	if timeout > 0 {
		timer = time.AfterFunc(timeout, func() {
			cancel(fmt.Errorf("%w: its time is up after %s", errTimeout, timeout))
		})
	}
	return ctx, func() {
		if timer != nil {
			timer.Stop()
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.running, p.durable = nil, false
		cancel(nil)
	}, nil
}
