package gitea

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"

	"github.com/mooring-iac/mooring/e2e/parts"
)

// Options say how a server runs.
type Options struct {
	Log io.Writer // progress of a first build; nil for none
}

// Running is a Gitea that this process started. It ends with the process at the latest, even a killed one.
type Running struct {
	URL   string   // http://127.0.0.1:port, without a slash at the end
	Dir   string   // all its files; what it logs is in the file log
	Admin *Account // may do anything, and owns nothing

	client *http.Client
	port   *reservedPort
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the process is gone
	remove func()        // of the directory, if it is ours
	stop   sync.Once

	naming sync.Mutex      // guards names
	names  map[string]bool // that were given
}

// Run starts a server whose files all lie below dir, a new or empty directory, and returns when it answers. With dir ""
// they lie in a directory that Stop removes. A missing Gitea is built first. ctx limits the start only.
//
// Gitea refuses to be root, so root runs it as a user that nobody is; dir is given to that user and must be within its
// reach.
func Run(ctx context.Context, dir string, options Options) (*Running, error) {
	log := options.Log
	if log == nil {
		log = io.Discard
	}
	part, err := parts.Gitea(ctx, log)
	if err != nil {
		return nil, err
	}
	return run(ctx, part, dir)
}

func run(ctx context.Context, part, dir string) (_ *Running, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("start Gitea: %w", err)
		}
	}()
	r := &Running{ended: make(chan struct{}), remove: func() {}, names: map[string]bool{}, client: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 16},
		Timeout:   time.Minute,
	}}
	if dir == "" {
		if dir, r.remove, err = ownDirectory(); err != nil {
			return nil, err
		}
	}
	if r.Dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if r.port, err = reservePort(); err != nil {
		r.remove()
		return nil, err
	}
	r.URL = "http://" + r.port.address()
	if err := r.start(ctx, part); err != nil {
		r.Stop()
		return nil, err
	}
	return r, nil
}

// start has Gitea running, with an administrator.
func (r *Running) start(ctx context.Context, part string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute) // it takes a second
	defer cancel()
	who := someUser()
	program, err := who.place(part, r.Dir)
	if err != nil {
		return err
	}
	hook, err := parts.GiteaHook(ctx, io.Discard)
	if err != nil {
		return err
	}
	if err := who.configure(r.Dir, program, hook, r.port); err != nil {
		return err
	}
	log, err := os.OpenFile(r.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	r.cmd = who.command(context.Background(), r.Dir, program, "web")
	r.cmd.Stdout, r.cmd.Stderr = log, log
	if err := r.live(); err != nil {
		return err
	}
	if err := r.awaitAnswer(ctx); err != nil {
		return err
	}
	return r.makeAdmin(ctx, who, program)
}

func (r *Running) logFile() string { return filepath.Join(r.Dir, "log") }

// live starts the process and has a goroutine wait for its end. The kernel ends it when the thread that started it ends,
// so the thread stays as long as the process.
func (r *Running) live() error {
	started := make(chan error)
	go func() {
		defer close(r.ended)
		unlock := keepThread()
		defer unlock()
		err := r.cmd.Start()
		started <- err
		if err == nil {
			_ = r.cmd.Wait() // its log says why
		}
	}()
	return <-started
}

// awaitAnswer returns when Gitea tells its version, which it does when it can be used.
func (r *Running) awaitAnswer(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL+"/api/v1/version", nil)
		if err != nil {
			return err
		}
		resp, err := r.client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-r.ended:
			return fmt.Errorf("it ended at once: %s", r.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", ctx.Err(), r.lastWords())
		}
	}
}

// lastWords is the end of the log.
func (r *Running) lastWords() string {
	log, err := os.ReadFile(r.logFile())
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(log[max(0, len(log)-4000):]))
}

var saidToken = regexp.MustCompile(`Access token was successfully created\.\.\. ([0-9a-f]{40})`)

// makeAdmin makes the administrator, which a new server has no other way to get.
func (r *Running) makeAdmin(ctx context.Context, who user, program string) error {
	admin := &Account{Login: "root-of-all", Password: secret()}
	cmd := who.command(ctx, r.Dir, program, "admin", "user", "create", "--username", admin.Login, "--password", admin.Password,
		"--email", admin.Login+"@example.com", "--admin", "--must-change-password=false", "--access-token", "--access-token-scopes", "all")
	unlock := keepThread()
	defer unlock()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("make administrator: %w\n%s", err, out)
	}
	token := saidToken.FindSubmatch(out)
	if token == nil {
		return fmt.Errorf("make administrator: no token in what Gitea says:\n%s", out)
	}
	admin.Token = string(token[1])
	if err := r.call(ctx, admin, http.MethodGet, "user", nil, admin); err != nil {
		return fmt.Errorf("make administrator: %w", err)
	}
	r.Admin = admin
	return nil
}

// PID is Gitea's process.
func (r *Running) PID() int { return r.cmd.Process.Pid }

// Ended is closed when Gitea's process is gone, for whatever reason.
func (r *Running) Ended() <-chan struct{} { return r.ended }

// Stop ends Gitea and waits until it is gone. It may be called more than once.
func (r *Running) Stop() {
	r.stop.Do(func() {
		r.client.CloseIdleConnections() // it waits for connections that it thinks are in use
		switch {
		case r.cmd == nil: // it never came so far
			close(r.ended)
		case r.cmd.Process != nil:
			r.end()
		}
		r.port.close()
		r.remove()
	})
	<-r.ended
}

// end asks Gitea to go, so that it ends its git processes too, and insists.
func (r *Running) end() {
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-r.ended:
		return
	case <-time.After(3 * time.Second):
	}
	if err := r.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return
	}
	<-r.ended
}
