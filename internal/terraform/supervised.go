package terraform

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

var (
	// ErrLost says that the supervisor ended in the middle of a command: nobody saw how that went.
	ErrLost = errors.New("the supervisor of the run is gone: nobody saw how it ended")
	// ErrHandedOver says that the command goes on in its supervisor, without this process.
	ErrHandedOver = errors.New("handed over to the supervisor")
)

// ErrHandOver is the cause of a context that ends with the wish to leave what changes something to its supervisor: Apply then returns
// ErrHandedOver at once, and the run goes on.
var ErrHandOver = errors.New("hand over")

// supervised is the runner's end of a supervisor.
type supervised struct {
	cmd    *exec.Cmd
	in     *os.File // a socket
	ask    *json.Encoder
	frames chan frame // closed when the supervisor is gone
	stderr *os.File   // what it said before it fell
	grace  time.Duration

	trust  string // whose next run it may be given; "" for nobody's
	waited bool   // it had a run before this one
	begun  bool   // it has a run
	spent  bool   // something went otherwise than well: it is given no other run

	output *os.File // read from where this run's part begins
}

type frame struct {
	kind byte
	data []byte
}

// launch starts a supervisor. name is for people who list processes.
func (h *Home) launch(mode, name string) (_ *supervised, err error) {
	framesRead, framesWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer framesWrite.Close()
	pidsRead, pidsWrite, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, framesRead.Close())
	}
	defer pidsRead.Close()
	defer pidsWrite.Close()
	p := &supervised{frames: make(chan frame, 1), grace: h.opts.Grace}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start the supervisor: %w", err), framesRead.Close())
			p.closeFiles()
		}
	}()
	if p.stderr, err = h.nameless(); err != nil {
		return nil, err
	}
	var theirs *os.File
	if p.in, theirs, err = socketPair(); err != nil {
		return nil, err
	}
	defer theirs.Close()
	for _, executable := range h.supervisors() {
		p.cmd = exec.Command(executable)
		p.cmd.Args = []string{"mooring", superviseCommand, name}
		p.cmd.Dir = "/"
		// It waits nearly always: more threads would only wake each other. What packages make as they are initialised is no garbage.
		p.cmd.Env = []string{"LANG=C.UTF-8", "GOTRACEBACK=none", "GOMAXPROCS=1", "GOGC=800"}
		if race, ok := os.LookupEnv("GORACE"); ok { // tests: a race detector waits a second at its end
			p.cmd.Env = append(p.cmd.Env, "GORACE="+race)
		}
		p.cmd.Stdin, p.cmd.Stderr = theirs, p.stderr
		p.cmd.ExtraFiles = []*os.File{framesWrite, pidsWrite, pidsRead}
		p.cmd.SysProcAttr = attributes(mode)
		if err = p.cmd.Start(); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	p.ask = json.NewEncoder(p.in)
	go p.read(framesRead)
	return p, nil
}

// nameless makes a file that ends with those who have it open.
func (h *Home) nameless() (*os.File, error) {
	file, err := os.CreateTemp(h.runs, ".stderr-*")
	if err != nil {
		return nil, err
	}
	return file, os.Remove(file.Name())
}

// supervisors are the programs that can be a supervisor, the best first: the small one that Mooring carries, and the running program itself,
// also when its file was replaced by a newer one meanwhile. The small one lies beside the shims, where nothing that runs sees it; where it
// cannot be written or started from there (a full disk, a file system without execution), the other does the same.
func (h *Home) supervisors() []string {
	h.supervisorOnce.Do(func() {
		if len(program) == 0 {
			return
		}
		name := filepath.Join(h.dataDir, "tools", "supervisor", "mooring")
		if err := writeExecutable(name, program, 0o500); err == nil {
			h.supervisor = name
		}
	})
	if h.supervisor == "" {
		return []string{selfExecutable()}
	}
	return []string{h.supervisor, selfExecutable()}
}

func selfExecutable() string {
	if _, err := os.Stat("/proc/self/exe"); err == nil {
		return "/proc/self/exe"
	}
	name, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return name
}

func (p *supervised) read(from *os.File) {
	defer close(p.frames)
	defer from.Close()
	r := bufio.NewReader(from)
	for {
		kind, data, err := readFrame(r)
		if err != nil {
			return
		}
		p.frames <- frame{kind, data}
	}
}

// begin has a run begin: the supervisor takes its lock and its output over, and is confined and ready when begin returns. The caller's own
// ends of both stay the caller's.
func (p *supervised) begin(set setup, lock, output *os.File) error {
	words, err := json.Marshal(request{Verb: verbBegin, Setup: &set})
	if err != nil {
		return err
	}
	p.begun = true
	if err := sendFiles(p.in, words, lock, output); err != nil {
		return fmt.Errorf("%w: %w", p.lost(), err)
	}
	return p.answer()
}

// answer waits for a reply that says only whether something failed.
func (p *supervised) answer() error {
	for f := range p.frames {
		if f.kind != frameReply {
			continue
		}
		var rep reply
		if err := json.Unmarshal(f.data, &rep); err != nil {
			return err
		}
		if rep.Failure != nil {
			return errors.New(rep.Failure.Cause)
		}
		return nil
	}
	return p.lost()
}

// lost says what the supervisor said before it was gone.
func (p *supervised) lost() error {
	p.spent = true
	_ = p.in.Close() // one that could not be told something may still wait for it
	defer p.impatient()()
	_ = p.cmd.Wait() // it is gone; how is in the error's text
	said := make([]byte, 2<<10)
	size, _ := p.stderr.Seek(0, io.SeekEnd)
	n, _ := p.stderr.ReadAt(said, max(0, size-int64(len(said))))
	if n > 0 {
		return fmt.Errorf("%w (%s): %s", ErrLost, p.cmd.ProcessState, tail(string(said[:n]), 2<<10))
	}
	return fmt.Errorf("%w (%s)", ErrLost, p.cmd.ProcessState)
}

// do has one command run. out gets what it prints as it is printed; data gets what Mooring asked for. When ctx ends the command is
// interrupted, and do waits for its end.
func (p *supervised) do(ctx context.Context, req request, out io.Writer, data io.Writer) (rep reply, err error) {
	defer func() {
		p.spent = p.spent || err != nil || rep.Failure != nil || len(rep.Notes) > 0 || verbs[req.Verb].durable
	}()
	show := &follower{file: p.output, out: out}
	if err := p.ask.Encode(req); err != nil {
		return reply{}, p.lost()
	}
	done := ctx.Done()
	var late <-chan time.Time
	for {
		select {
		case f, ok := <-p.frames:
			if !ok {
				show.read()
				return reply{}, p.lost()
			}
			switch f.kind {
			case frameGrew:
				show.read()
			case frameData:
				if _, err := data.Write(f.data); err != nil {
					return reply{}, err
				}
			case frameReply:
				show.read()
				if err := json.Unmarshal(f.data, &rep); err != nil {
					return rep, fmt.Errorf("read the supervisor's reply: %w", err)
				}
				if show.err != nil {
					rep.Notes = append(rep.Notes, fmt.Sprintf("what %s printed is not complete here: %v", req.Verb, show.err))
				}
				return rep, nil
			}
		case <-done:
			if errors.Is(context.Cause(ctx), ErrHandOver) && verbs[req.Verb].durable {
				return reply{}, ErrHandedOver
			}
			done = nil
			_ = p.ask.Encode(request{Verb: verbCancel, Reason: context.Cause(ctx).Error()}) // it may have ended by itself
			late = time.After(p.grace + 15*time.Second)
		case <-late:
			// It interrupts, waits and kills by itself; one that does not even do that is ended with all that it started.
			_ = p.cmd.Process.Kill()
			late = nil
		}
	}
}

// end lets the supervisor go and waits until it is gone.
func (p *supervised) end() {
	_ = p.in.Close() // it goes by itself
	defer p.impatient()()
	for range p.frames { // until its pipe ends
	}
	_ = p.cmd.Wait() // how it went shows in what it left
	p.closeFiles()
}

// impatient kills the supervisor unless what it is waited for comes in time: then the returned function is called.
func (p *supervised) impatient() (came func() bool) {
	return time.AfterFunc(p.grace+15*time.Second, func() { _ = p.cmd.Process.Kill() }).Stop
}

func (p *supervised) closeFiles() {
	for _, file := range []*os.File{p.in, p.stderr} {
		if file != nil {
			_ = file.Close() // closed already, at worst
		}
	}
}

// leave goes away from a supervisor that goes on.
func (p *supervised) leave() {
	_ = p.in.Close()
	go p.end()
}

// follower hands on what a file has grown by.
type follower struct {
	file *os.File
	out  io.Writer // nil is nobody
	err  error     // the first; nothing is written after it
}

func (f *follower) read() {
	if f.file == nil {
		return
	}
	out := f.out
	if out == nil || f.err != nil {
		out = io.Discard
	}
	if _, err := io.Copy(out, f.file); err != nil && f.err == nil {
		f.err = err
		_, _ = io.Copy(io.Discard, f.file)
	}
}
