package terraform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/mooring-iac/mooring/internal/terraform/redact"
)

// superviseCommand is the hidden command of the binary that makes it a supervisor.
const superviseCommand = "supervise"

// fdRequests is where a supervisor is told what to do.
const fdRequests = 0

// Other descriptors that a supervisor inherits.
const (
	fdLock   = 3 + iota // the run's lock: held as long as the supervisor lives
	fdFrames            // to the runner
	fdOutput            // what people read, appended to
	fdPID               // where the shim writes its process id, which becomes the tool's
	fdPIDs              // the other end of it
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

// superviseIf is the life of a supervisor, when the arguments are one's, and its exit code.
//
// A supervisor runs the Terraform commands of one unit's run, one after the other, each started by terraform-exec. It outlives the runner:
// when that is gone, a command that changes something goes on to its end, and what came of it is in the run directory. Everything else is
// ended. See the package's documentation of the run directory in rundir.go.
func superviseIf(args []string) (code int, isSupervisor bool) {
	if len(args) != 3 || args[1] != superviseCommand {
		return 0, false
	}
	// Terraform is killed when the thread that started it ends, and some confinements are the thread's own: all commands start on this one.
	runtime.LockOSThread()
	if err := supervise(args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "supervise:", err)
		return 1, true
	}
	return 0, true
}

// supervisor is the state of the supervising process.
type supervisor struct {
	dir    *os.Root // the run directory: opened before the confinement, in which it has no path
	set    setup
	tf     *tfexec.Terraform
	hide   *redact.Redactor
	output *redact.Writer
	frames *frameWriter
	pids   *os.File // where the shim tells the tool's process id
	reap   *reaper
	// children is inherited by all that runs, with its lock. It is held here, or it would be closed as garbage.
	children *os.File
	thread   chan func() // run by the one thread that starts commands

	mu      sync.Mutex // guards what follows
	running context.CancelCauseFunc
	durable bool  // what runs changes something: it goes on without the runner
	gone    error // why nothing may begin any more
}

var (
	errRunnerGone = errors.New("mooring ended")
	errTimeout    = errors.New("it took too long")
)

func supervise(dir string) error {
	debug.SetGCPercent(300) // it lives shortly and makes little garbage: below 16 MB none is collected
	if err := harden(); err != nil {
		return err
	}
	s := &supervisor{}
	var err error
	if s.dir, err = os.OpenRoot(dir); err != nil {
		return err
	}
	for _, fd := range []int{fdLock, fdFrames, fdOutput, fdPIDs} {
		syscall.CloseOnExec(fd)
	}
	keepDescriptors(fdPIDs + 1) // whatever else Mooring was started with is not for Terraform
	pipes := map[int]*os.File{}
	for _, fd := range []int{fdRequests, fdFrames, fdPIDs} {
		if pipes[fd], err = openPipe(fd); err != nil {
			return err
		}
	}
	s.frames, s.pids = newFrameWriter(pipes[fdFrames]), pipes[fdPIDs]
	control, err := openControl(dir)
	if err != nil {
		return err
	}
	requests := json.NewDecoder(pipes[fdRequests])
	if err := requests.Decode(&s.set); err != nil {
		return fmt.Errorf("read the setup: %w", err)
	}
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	if err := s.begin(); err != nil {
		return errors.Join(err, writeReply(s.frames, reply{Failure: &failure{Cause: err.Error(), Unknown: true}}))
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		for range signals {
			s.stop(errors.New("the supervisor was told to stop"))
		}
	}()
	go s.listen(control)
	s.thread = make(chan func())
	go func() {
		defer close(s.thread)
		if err := writeReply(s.frames, reply{}); err == nil {
			s.serve(requests)
		}
	}()
	for f := range s.thread {
		f()
	}
	return nil
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

// start has f run by the thread whose children are confined, and waits for it.
func (s *supervisor) start(f func()) {
	done := make(chan struct{})
	s.thread <- func() {
		defer close(done)
		f()
	}
	<-done
}

// begin confines the process and makes ready to run commands.
func (s *supervisor) begin() error {
	if s.set.Format != runFormat {
		return fmt.Errorf("the run directory has format %d and this Mooring writes %d", s.set.Format, runFormat)
	}
	children, err := s.dir.OpenFile(childrenName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	s.children = children
	if err := confine(&s.set.Confine, children); err != nil {
		return err
	}
	for name, data := range s.set.Files {
		if err := os.WriteFile(s.private(name), data, 0o600); err != nil {
			return err
		}
	}
	s.set.Files = nil
	s.hide = redact.New(secretStrings(s.set.Secrets)...)
	s.output = s.hide.Writer(&growingFile{file: os.NewFile(fdOutput, "output"), grew: s.frames.grew})
	s.reap = newReaper(s.pids, s.set.Confine.Mode == modeNamespaces)
	if s.set.Exec == "" {
		return nil // only to see whether the confinement can be made
	}
	if s.tf, err = tfexec.NewTerraform(s.set.Dir, s.set.Exec); err != nil {
		return err
	}
	if err := s.tf.SetWaitDelay(s.set.Grace); err != nil {
		return err
	}
	if err := s.tf.SetDisablePluginTLS(!s.set.PluginTLS); err != nil {
		return err
	}
	// terraform-exec asks for the version before some commands; asked now, its answer is not in their output.
	if err := s.tf.SetEnv(map[string]string{"PATH": "/usr/bin:/bin"}); err != nil {
		return err
	}
	_, _, err = s.tf.Version(context.Background(), false)
	return err
}

func (s *supervisor) private(name string) string { return s.set.Private + "/" + name }

// serve takes requests one at a time until the runner is gone.
func (s *supervisor) serve(from *json.Decoder) {
	commands := make(chan request)
	go func() {
		defer close(commands)
		for {
			var req request
			if err := from.Decode(&req); err != nil {
				s.abandoned()
				return
			}
			if req.Verb == verbCancel {
				s.cancel(errors.New(req.Reason))
				continue
			}
			commands <- req
		}
	}()
	for req := range commands {
		rep := s.handle(req)
		if err := writeReply(s.frames, rep); err != nil {
			return // nobody asks any more
		}
	}
}

// listen takes what comes by the control file: a word a line, from a runner that found this run after a restart.
func (s *supervisor) listen(control io.Reader) {
	buffer := make([]byte, 4096)
	for {
		n, err := control.Read(buffer)
		if err != nil {
			return
		}
		for line := range bytes.Lines(buffer[:n]) {
			if reason, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte(verbCancel+" ")); ok {
				s.cancel(errors.New(string(reason)))
			}
		}
	}
}

// cancel ends the command that runs, gently: Terraform is interrupted, and killed after the grace period.
func (s *supervisor) cancel(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		s.running(why)
	}
}

// stop is cancel, and nothing begins after it.
func (s *supervisor) stop(why error) {
	s.mu.Lock()
	s.gone = why
	s.mu.Unlock()
	s.cancel(why)
}

// abandoned: the runner is gone. What changes something goes on; whatever else there is would be for nobody.
func (s *supervisor) abandoned() {
	s.mu.Lock()
	s.gone = errRunnerGone
	durable := s.durable
	s.mu.Unlock()
	if !durable {
		s.cancel(errRunnerGone)
	}
}

// handle carries out one request.
func (s *supervisor) handle(req request) (rep reply) {
	s.hide.Add(secretStrings(req.Secrets)...)
	defer func() { s.hideIn(&rep) }()
	switch req.Verb {
	case verbLoad:
		return s.plain(os.WriteFile(s.private(req.Name), req.Data, 0o600))
	case verbKeep:
		return s.plain(s.keepPlan(req.Name))
	}
	verb, ok := verbs[req.Verb]
	if !ok {
		return s.plain(fmt.Errorf("no command is called %q", req.Verb))
	}
	ctx, end, err := s.enter(verb.durable, req.Timeout)
	if err != nil {
		return reply{Failure: &failure{Command: verb.name, Cause: err.Error(), Stopped: err.Error()}}
	}
	defer end()
	began := time.Now()
	s.record(event{Time: began, Command: verb.name, What: "started", Digest: req.Digest}, verb.durable)
	if verb.durable {
		s.holdBallast()
	}
	rep = s.run(ctx, verb, req)
	s.record(event{Time: time.Now(), Command: verb.name, What: "ended", Failed: rep.Failure != nil}, false) // the result says it, too
	if verb.durable {
		if err := s.insist(func() error { return s.writeResult(req, rep, began) }); err != nil {
			rep.Notes = append(rep.Notes, fmt.Sprintf("the result of this run could not be written down: %v", err))
		}
	}
	return rep
}

// enter makes the context of a command. It fails when nothing may begin any more.
func (s *supervisor) enter(durable bool, timeout time.Duration) (context.Context, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone != nil {
		return nil, nil, s.gone
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	s.running, s.durable = cancel, durable
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
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running, s.durable = nil, false
		cancel(nil)
	}, nil
}

// atLast kills what does not go when a command is ended, until the returned function says that it has gone. terraform-exec kills Terraform
// when its grace is over; what still holds its pipes open then goes too.
func (s *supervisor) atLast(ctx context.Context, command int) (gone func()) {
	over := make(chan struct{})
	unstop := context.AfterFunc(ctx, func() {
		last := time.NewTimer(s.set.Grace + 5*time.Second)
		defer last.Stop()
		select {
		case <-over:
		case <-last.C:
			s.reap.killTool(command)
		}
	})
	return func() {
		unstop()
		close(over)
	}
}

func (s *supervisor) plain(err error) reply {
	if err == nil {
		return reply{}
	}
	return reply{Failure: &failure{Cause: err.Error(), Unknown: true}}
}

// hideIn takes secrets out of a reply's words. Values that Mooring asked for stay: they go to it alone.
func (s *supervisor) hideIn(rep *reply) {
	if f := rep.Failure; f != nil {
		f.Stderr, f.Cause, f.Stopped = s.hide.Text(f.Stderr), s.hide.Text(f.Cause), s.hide.Text(f.Stopped)
	}
	for i, note := range rep.Notes {
		rep.Notes[i] = s.hide.Text(note)
	}
}

// frameWriter writes frames from several goroutines.
type frameWriter struct {
	mu   sync.Mutex // held while a frame is written
	file io.Writer
	ping chan struct{} // holds at most one wish
}

func newFrameWriter(file io.Writer) *frameWriter {
	w := &frameWriter{file: file, ping: make(chan struct{}, 1)}
	go func() {
		for range w.ping {
			w.mu.Lock()
			err := writeFrame(w.file, frameGrew, nil)
			w.mu.Unlock()
			if err != nil {
				return
			}
			time.Sleep(40 * time.Millisecond) // a hint is enough for all that comes meanwhile
		}
	}()
	return w
}

// grew hints that there is more to read. It never waits: a runner that is stopped must not stop an apply.
func (w *frameWriter) grew() {
	select {
	case w.ping <- struct{}{}:
	default:
	}
}

// Write writes a whole frame.
func (w *frameWriter) Write(frame []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.file.Write(frame)
}

// growingFile is the output file. Like every writer that terraform-exec is given it never fails: terraform-exec would stop reading the
// pipe, and Terraform, blocked on it, would stand still with the state lock held.
type growingFile struct {
	file *os.File
	grew func()
	err  error // the first; nothing is written after it
}

func (g *growingFile) Write(data []byte) (int, error) {
	if g.err == nil {
		_, g.err = g.file.Write(data)
		g.grew()
	}
	return len(data), nil
}
