package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// holderEnv marks the process that stays behind with KEEP=1.
const holderEnv = "MOORING_DEMO_HOLDER"

// inHolder runs the demo in a process of its own session that outlives this one once the story is told. Until then
// it ends with this one: its standard input is a pipe from here.
func inHolder(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), holderEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the demo: %w", err)
	}
	end := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) }) // fails only when it is gone
	defer end()
	stays, err := copyUntil(os.Stdout, stdout, kept)
	if stays || err != nil {
		return err
	}
	_ = stdin.Close()
	if err := cmd.Wait(); err != nil {
		return errors.New("it failed, see above")
	}
	return nil
}

// kept is the holder's last byte to the process that started it.
const kept = '\x00'

// copyUntil copies until mark comes, which it does not copy, or until the end, and reports whether mark came.
func copyUntil(w io.Writer, r io.Reader, mark byte) (bool, error) {
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		before, _, came := bytes.Cut(buf[:n], []byte{mark})
		if _, err := w.Write(before); err != nil {
			return false, err
		}
		switch {
		case came || errors.Is(err, io.EOF):
			return came, nil
		case err != nil:
			return false, err
		}
	}
}

// hold is the demo in the process that stays behind.
func hold(ctx context.Context, s settings) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	told := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until whoever started us is gone
		select {
		case <-told:
		default:
			cancel()
		}
	}()
	return run(ctx, s, os.Stdout, func(st *stage) {
		st.lookAround()
		close(told)
		_, _ = os.Stdout.Write([]byte{kept})
		st.out = io.Discard
		_ = os.Stdout.Close()
		_ = os.Stderr.Close()
		select {
		case <-ctx.Done():
		case <-st.server.ended:
		case <-st.clusterEnded():
		}
	})
}
