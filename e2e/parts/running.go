package parts

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ClusterOptions say what a cluster runs. The zero value is all of it on a free port.
type ClusterOptions struct {
	OnlyAPI bool      // etcd and the API server; nothing becomes ready, but namespaces go away
	Port    int       // port on 127.0.0.1; 0 takes a free one
	Log     io.Writer // progress of a first build; nil for none
}

// RunningCluster is a cluster that this process started. It ends with the process at the latest, even a killed one.
type RunningCluster struct {
	Kubeconfig string // path; context mooring-e2e, administrator
	URL        string // https://127.0.0.1:port
	Dir        string // logs and objects; StartCluster on it again finds the same objects and credentials

	cmd   *exec.Cmd
	stdin io.Closer     // open as long as the cluster shall run
	ended chan struct{} // closed when the process is gone
	once  sync.Once
}

// StartCluster starts a cluster whose files all lie below dir, and returns when it can be used. A missing binary is
// built first. ctx limits the start only. The person's own KUBECONFIG is neither read nor written.
func StartCluster(ctx context.Context, dir string, options ClusterOptions) (*RunningCluster, error) {
	log := options.Log
	if log == nil {
		log = io.Discard
	}
	binary, err := Cluster(ctx, log)
	if err != nil {
		return nil, err
	}
	return startCluster(ctx, binary, dir, options)
}

func startCluster(ctx context.Context, binary, dir string, options ClusterOptions, more ...string) (*RunningCluster, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	args := append([]string{"up", "--stdin", "--dir", dir, "--port", strconv.Itoa(options.Port)}, more...)
	if options.OnlyAPI {
		args = append(args, "--only-api")
	}
	cmd := exec.Command(binary, args...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + os.TempDir(),
		"GOGC=400", // there is memory, and two processors for everything
	}
	// A group of its own: Ctrl-C reaches the program that started it, which decides when the cluster may go.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	c := &RunningCluster{Dir: dir, cmd: cmd, stdin: stdin, ended: make(chan struct{})}
	if err := c.awaitReady(ctx, stdout, &stderr); err != nil {
		c.Stop()
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	return c, nil
}

// awaitReady reads the line that says the cluster is up.
func (c *RunningCluster) awaitReady(ctx context.Context, stdout io.Reader, stderr *bytes.Buffer) error {
	line := make(chan []byte, 1)
	go func() {
		text, _ := bufio.NewReader(stdout).ReadBytes('\n')
		line <- text
		_, _ = io.Copy(io.Discard, stdout)
		_ = c.cmd.Wait() // its state is asked for later
		close(c.ended)
	}()
	var text []byte
	select {
	case text = <-line:
	case <-ctx.Done():
		return fmt.Errorf("not ready in time (see %s): %w", filepath.Join(c.Dir, "log"), ctx.Err())
	}
	var said struct {
		Ready      bool   `json:"ready"`
		Kubeconfig string `json:"kubeconfig"`
		URL        string `json:"url"`
	}
	if err := json.Unmarshal(text, &said); err != nil || !said.Ready {
		c.Stop() // standard error is complete once the process is gone
		return fmt.Errorf("%s (see %s)", strings.TrimSpace(stderr.String()), filepath.Join(c.Dir, "log"))
	}
	c.Kubeconfig, c.URL = said.Kubeconfig, said.URL
	return nil
}

// Port is the port the API server listens on.
func (c *RunningCluster) Port() int {
	u, err := url.Parse(c.URL)
	if err != nil {
		return 0
	}
	_, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(port)
	return n
}

// PID is the process that is the whole cluster.
func (c *RunningCluster) PID() int { return c.cmd.Process.Pid }

// Ended is closed when the cluster's process is gone, for whatever reason.
func (c *RunningCluster) Ended() <-chan struct{} { return c.ended }

// Stop ends the cluster and waits until it is gone. It may be called more than once.
func (c *RunningCluster) Stop() {
	c.once.Do(func() {
		_ = c.stdin.Close()
		select {
		case <-c.ended:
		case <-time.After(10 * time.Second):
			_ = c.cmd.Process.Kill()
		}
	})
	<-c.ended
}

// Kill ends the cluster at once, as a crash would.
func (c *RunningCluster) Kill() error {
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill cluster: %w", err)
	}
	<-c.ended
	return nil
}
