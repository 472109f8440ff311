package terraform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/mooring-iac/mooring/internal/terraform/redact"
)

// supervisor is one run in a supervisorProcess. It lives on a thread of its own, which is confined, starts all commands, and ends with the run.
type supervisor struct {
	*supervisorProcess
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

// begin confines the thread and makes ready to run commands.
func (s *supervisor) begin() error {
	if err := s.stopped(); err != nil {
		return err
	}
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
