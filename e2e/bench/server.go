package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mooring-iac/mooring/e2e/fleet"
	"github.com/mooring-iac/mooring/e2e/githttp"
)

// served is a running `mooring serve`.
type served struct {
	cmd *exec.Cmd
	log string
}

func (b *bench) serve(ctx context.Context, config string) (*served, error) {
	s := &served{cmd: exec.CommandContext(ctx, b.mooring, "serve", "-c", config), log: config + ".log"}
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = b.env, log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	// A server answers `mooring locks` once it listens.
	deadline := time.Now().Add(10 * time.Second)
	for {
		if _, err := os.Stat(filepath.Join(strings.TrimSuffix(config, ".hcl"), "mooring.sock")); err == nil {
			return s, nil
		}
		if time.Now().After(deadline) {
			s.stop()
			said, _ := os.ReadFile(s.log) // only makes the error say more
			return nil, fmt.Errorf("mooring serve did not come up:\n%s", tail(said))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (s *served) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may be gone already
	_ = s.cmd.Wait()
}

// cpu is the processor time of the process, and of children it has waited for.
func (s *served) cpu() (own, children time.Duration, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	ticks := func(i int) time.Duration {
		n, _ := strconv.Atoi(fields[i]) // the kernel's own numbers
		return time.Duration(n) * 10 * time.Millisecond
	}
	return ticks(11) + ticks(12), ticks(13) + ticks(14), nil
}

// anonymous is the process's anonymous resident memory in MB.
func (s *served) anonymous() (float64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "RssAnon:"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return kb / 1024, err
		}
	}
	return 0, fmt.Errorf("no RssAnon in /proc/%d/status", s.cmd.Process.Pid)
}

// poll: what looking at a remote with nothing new costs.
func (b *bench) poll(ctx context.Context) error {
	root := filepath.Join(b.dir, "poll")
	f, err := b.newFleet(ctx, "polled", func(i, version int) string { return "output \"v\" {\n  value = 1\n}\n" })
	if err != nil {
		return err
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	bare := filepath.Join(root, "infra.git")
	if _, err := b.exec(ctx, b.dir, "git", "clone", "-q", "--bare", f.bare, bare); err != nil {
		return err
	}
	for i := range 99 {
		if _, err := b.exec(ctx, bare, "git", "branch", fmt.Sprintf("feature-%d", i), "main"); err != nil {
			return err
		}
	}
	handler, err := githttp.NewHandler(root)
	if err != nil {
		return err
	}
	server := httptest.NewServer(handler)
	defer server.Close()

	data := filepath.Join(b.dir, "poll-data")
	config := data + ".hcl"
	text := fmt.Sprintf("data_dir = %q\nrepository \"infra\" {\n  url    = %q\n  branch = \"main\"\n  poll   = \"100ms\"\n  apply  = \"never\"\n}\n", data, server.URL+"/infra.git")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	s, err := b.serve(ctx, config)
	if err != nil {
		return err
	}
	defer s.stop()
	if _, err := b.exec(ctx, b.dir, b.mooring, "sync", "-c", config); err != nil && !strings.Contains(err.Error(), "exit status 2") {
		return err
	}
	handler.ResetRequests()
	own, children, err := s.cpu()
	if err != nil {
		return err
	}
	const polls = 100
	for len(handler.Requests()) < polls {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	asked := len(handler.Requests())
	after, childrenAfter, err := s.cpu()
	if err != nil {
		return err
	}
	if childrenAfter != children {
		return fmt.Errorf("polls started child processes")
	}
	each := float64((after - own).Microseconds()) / 1000 / float64(asked)
	b.figures = append(b.figures, figure{name: fmt.Sprintf("a poll with nothing new, 100 refs (processor time over %d polls)", asked), mooring: fmt.Sprintf("%.2f ms", each), result: each, bar: 20, unit: "ms"})
	return nil
}

const (
	roots   = 5000
	modules = 200
)

// graph: discovery of a large repository by one command.
func (b *bench) graph(ctx context.Context) error {
	dir := filepath.Join(b.dir, "large")
	if err := fleet.Write(dir, roots, modules); err != nil {
		return err
	}
	var took []time.Duration
	for range b.rounds {
		d, err := b.exec(ctx, b.dir, b.mooring, "graph", "-o", "json", dir)
		if err != nil {
			return err
		}
		took = append(took, d)
	}
	d := median(took)
	b.figures = append(b.figures, figure{name: fmt.Sprintf("discovery and graph, %d root modules, %d shared, cold", roots, modules), mooring: said(d), result: d.Seconds(), bar: 2, unit: "s"})
	return nil
}

// server: a running server that has both the fifty workspaces and the large
// repository: how fast it reads a commit to one file, and how much memory it has.
func (b *bench) server(ctx context.Context) error {
	f, err := b.newFleet(ctx, "served", builtIn)
	if err != nil {
		return err
	}
	large := filepath.Join(b.dir, "served-large")
	if err := fleet.Write(large, roots, modules); err != nil {
		return err
	}
	// No Terraform satisfies the large repository: its units end before a process
	// starts, and what is measured is Mooring.
	if err := demand(large, "required_version = \">= 99.0\""); err != nil {
		return err
	}
	for _, argv := range [][]string{{"git", "init", "-q", "-b", "main", "."}, {"git", "add", "-A"}, {"git", "commit", "-q", "-m", "first"}} {
		if _, err := b.exec(ctx, large, argv...); err != nil {
			return err
		}
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	listen := free.Addr().String()
	if err := free.Close(); err != nil {
		return err
	}
	data := filepath.Join(b.dir, "served-data")
	config := data + ".hcl"
	text := fmt.Sprintf(`data_dir = %q
listen   = %q
terraform {
  releases_url = "http://127.0.0.1:9"
}
repository "infra" {
  url        = %q
  branch     = "main"
  poll       = "1h"
  auto_apply = "always"
}
repository "large" {
  url    = %q
  branch = "main"
  poll   = "1h"
}
`, data, listen, f.bare, large)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	s, err := b.serve(ctx, config)
	if err != nil {
		return err
	}
	defer s.stop()
	// Its units fail, as they should: exit 1.
	if _, err := b.exec(ctx, b.dir, b.mooring, "sync", "-c", config); err != nil && !strings.Contains(err.Error(), "exit status 1") {
		return err
	}
	var took []float64
	for round := range b.rounds {
		name := filepath.Join(large, fleet.Root(7), "main.tf")
		old, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(name, append(old, fmt.Sprintf("\n# round %d\n", round)...), 0o644); err != nil {
			return err
		}
		if _, err := b.exec(ctx, large, "git", "commit", "-q", "-a", "-m", "one file"); err != nil {
			return err
		}
		if _, err := b.exec(ctx, b.dir, b.mooring, "sync", "-c", config); err != nil && !strings.Contains(err.Error(), "exit status 1") {
			return err
		}
		seconds, err := metric(ctx, "http://"+listen+"/metrics", `mooring_discovery_seconds{repository="large"}`)
		if err != nil {
			return err
		}
		took = append(took, seconds)
	}
	b.figures = append(b.figures, figure{name: "the same in a running server, after a commit to one file", mooring: fmt.Sprintf("%.0f ms", median(took)*1000), result: median(took), bar: 0.2, unit: "s"})
	mb, err := s.anonymous()
	if err != nil {
		return err
	}
	b.figures = append(b.figures, figure{name: "anonymous memory of the server after both", mooring: fmt.Sprintf("%.1f MB", mb), result: mb, bar: 60, unit: "MB"})
	return nil
}

// demand adds a line to the terraform block of every root module.
func demand(dir, line string) error {
	for n := range roots {
		path := filepath.Join(dir, fleet.Root(n), "demand.tf")
		if err := os.WriteFile(path, []byte("terraform {\n  "+line+"\n}\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func metric(ctx context.Context, url, name string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(body)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(rest), 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", url, name)
}

// version: what starting costs.
func (b *bench) version(ctx context.Context) error {
	var ours, theirs []time.Duration
	for range 10 * b.rounds {
		a, err := b.exec(ctx, b.dir, b.mooring, "version")
		if err != nil {
			return err
		}
		c, err := b.exec(ctx, b.dir, "terraform", "version")
		if err != nil {
			return err
		}
		ours, theirs = append(ours, a), append(theirs, c)
	}
	over := median(ours) - median(theirs)
	b.figures = append(b.figures, figure{name: "mooring version, over terraform version", mooring: said(median(ours)), bare: said(median(theirs)), result: float64(over.Microseconds()) / 1000, bar: 40, unit: "ms"})
	return nil
}
