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

// supervising is the process of a supervisor.
type supervising struct {
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

// supervisor is one run in that process. It lives on a thread of its own, which is confined, starts all commands, and ends with the run.
type supervisor struct {
	*supervising
	set    setup
	lock   *os.File // the run's lock: held as long as the run lives
	dir    *os.Root // the run directory: opened before the confinement, in which it has no path
	tf     *tfexec.Terraform
	hide   *redact.Redactor
	file   *os.File // of the output
	output *redact.Writer
	// children is inherited by all that runs, with its lock; nil in namespaces.
	children *os.File
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
	p := &supervising{
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
func (p *supervising) read() {
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
func (p *supervising) oversee(set setup) (again bool, err error) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		// Terraform is killed when the thread that started it ends, and the confinement is the thread's own: all that is done for the run is
		// done on this one. It is never unlocked, so it ends with the run.
		runtime.LockOSThread()
		s := &supervisor{supervising: p, set: set}
		again, err = s.live()
	}()
	<-over
	if !again || err != nil || set.Confine.Mode != modeNamespaces {
		return false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone == nil && limits() == p.limits, nil
}

// live is the run, from its confinement to the last request.
func (s *supervisor) live() (done bool, err error) {
	defer func() { err = errors.Join(err, s.close()) }()
	control, err := s.open()
	if err != nil {
		return false, err
	}
	defer control.Close()
	if err := s.begin(); err != nil {
		return false, errors.Join(err, writeReply(s.frames, reply{Failure: &failure{Cause: err.Error(), Unknown: true}}))
	}
	go s.listen(control)
	if err := writeReply(s.frames, reply{}); err != nil {
		return false, nil // nobody asks any more
	}
	return s.serve(), nil
}

// open opens what lies outside of the confinement.
func (s *supervisor) open() (control *os.File, err error) {
	files := s.from.take()
	if len(files) != 2 {
		for _, file := range files {
			_ = file.Close()
		}
		return nil, fmt.Errorf("%d files came with the setup", len(files))
	}
	s.lock, s.file = files[0], files[1]
	if s.dir, err = os.OpenRoot(s.set.Run); err != nil {
		return nil, err
	}
	return openControl(s.set.Run)
}

// close lets go of everything that is the run's own, its lock last.
func (s *supervisor) close() error {
	var errs []error
	if s.dir != nil {
		errs = append(errs, s.dir.Close())
	}
	for _, file := range []*os.File{s.children, s.file, s.lock} {
		if file != nil {
			errs = append(errs, file.Close())
		}
	}
	return errors.Join(errs...)
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

// begin confines the thread and makes ready to run commands.
func (s *supervisor) begin() error {
	if s.set.Format != runFormat {
		return fmt.Errorf("the run directory has format %d and this Mooring writes %d", s.set.Format, runFormat)
	}
	var err error
	if s.set.Confine.Mode != modeNamespaces { // in which everything ends with this process
		if s.children, err = s.dir.OpenFile(childrenName, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
			return err
		}
	}
	if s.reap == nil { // the first run of this process
		if err := settle(s.set.Confine.Mode); err != nil {
			return fmt.Errorf("make the namespace: %w", err)
		}
		s.limits = limits()
		s.reap = newReaper(s.pids, s.set.Confine.Mode == modeNamespaces)
	}
	if err := confine(&s.set.Confine, s.children); err != nil {
		return err
	}
	for name, data := range s.set.Files {
		if err := os.WriteFile(s.private(name), data, 0o600); err != nil {
			return err
		}
	}
	s.set.Files = nil
	s.hide = redact.New(secretStrings(s.set.Secrets)...)
	s.output = s.hide.Writer(&growingFile{file: s.file, grew: s.frames.grew})
	if s.set.Exec == "" {
		return nil // only to see whether the confinement can be made
	}
	if s.tf, err = tfexec.NewTerraform(s.set.Dir, s.set.Exec); err != nil {
		return err
	}
	if err := s.tf.SetWaitDelay(s.set.Grace); err != nil {
		return err
	}
	return s.tf.SetDisablePluginTLS(!s.set.PluginTLS)
}

func (s *supervisor) private(name string) string { return s.set.Private + "/" + name }

// serve takes requests one at a time until the run is done, or the runner is gone.
func (s *supervisor) serve() (done bool) {
	for req := range s.requests {
		if req.Verb == verbDone {
			return true
		}
		if err := writeReply(s.frames, s.handle(req)); err != nil {
			return false // nobody asks any more
		}
	}
	return false
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
func (p *supervising) cancel(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil {
		p.running(why)
	}
}

// stop is cancel, and nothing begins after it.
func (p *supervising) stop(why error) {
	p.mu.Lock()
	p.gone = why
	p.mu.Unlock()
	p.cancel(why)
}

// abandoned: the runner is gone. What changes something goes on; whatever else there is would be for nobody.
func (p *supervising) abandoned() {
	p.mu.Lock()
	p.gone = errRunnerGone
	durable := p.durable
	p.mu.Unlock()
	if !durable {
		p.cancel(errRunnerGone)
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
func (p *supervising) enter(durable bool, timeout time.Duration) (context.Context, func(), error) {
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
