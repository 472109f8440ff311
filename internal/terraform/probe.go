package terraform

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// probeCache remembers which executable is what, on disk too: asking Terraform its version takes 45 ms, reading its 90 MB as long.
type probeCache struct {
	file  string
	known map[string]probe // by path with links followed
}

type probe struct {
	Size    int64     `json:"size"`
	ModTime time.Time `json:"mtime"`
	Version string    `json:"version"`
	Digest  string    `json:"digest"`
}

// loadProbes never fails: what cannot be read is asked again.
func loadProbes(file string) *probeCache {
	cache := &probeCache{file: file, known: map[string]probe{}}
	if data, err := os.ReadFile(file); err == nil {
		if json.Unmarshal(data, &cache.known) != nil || cache.known == nil {
			cache.known = map[string]probe{}
		}
	}
	return cache
}

// probe tells what an executable is. It is asked anew when its size or time of change differ.
func (c *probeCache) probe(ctx context.Context, name, executable string) (Tool, error) {
	real, err := filepath.EvalSymlinks(executable)
	if err != nil {
		return Tool{}, err
	}
	info, err := os.Stat(real)
	if err != nil {
		return Tool{}, err
	}
	last, ok := c.known[real]
	if !ok || last.Size != info.Size() || !last.ModTime.Equal(info.ModTime()) {
		last = probe{Size: info.Size(), ModTime: info.ModTime()}
		if last.Version, err = askVersion(ctx, real); err != nil {
			return Tool{}, err
		}
		if last.Digest, err = fileDigest(real); err != nil {
			return Tool{}, err
		}
		c.known[real] = last
		if err := c.save(); err != nil {
			return Tool{}, err
		}
	}
	return Tool{Name: name, Path: real, Version: last.Version, Digest: last.Digest}, nil
}

func (c *probeCache) save() error {
	data, err := json.MarshalIndent(c.known, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFile(c.file, data, 0o600); err != nil {
		return fmt.Errorf("remember tool versions: %w", err)
	}
	return nil
}

// askVersion runs `version -json` in an empty directory with an empty environment: neither a configuration nor a variable may answer.
func askVersion(ctx context.Context, executable string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	dir, err := os.MkdirTemp("", "mooring-version-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	var printed []byte
	for {
		command := exec.CommandContext(ctx, executable, "version", "-json")
		command.Dir = dir
		command.Env = []string{"CHECKPOINT_DISABLE=1", "HOME=" + dir, "PATH=/usr/bin:/bin", "TF_CLI_CONFIG_FILE=" + os.DevNull}
		command.WaitDelay = time.Second
		// Just unpacked, it may still be open for writing in a child that another goroutine is about to turn into something else.
		if printed, err = command.Output(); !errors.Is(err, syscall.ETXTBSY) || ctx.Err() != nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		return "", fmt.Errorf("version -json: %w", err)
	}
	var answer struct {
		Version string `json:"terraform_version"` // OpenTofu kept the name
	}
	if err := json.Unmarshal(printed, &answer); err != nil || answer.Version == "" {
		return "", errors.New("version -json: no version in the answer")
	}
	return answer.Version, nil
}

func fileDigest(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
