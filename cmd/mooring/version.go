package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/mooring-iac/mooring/cmd/mooring/report"
)

// version is set by the release build: -ldflags "-X main.version=1.2.3".
var version string

// buildVersion is the version of this binary, as well as it is known.
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}

type versions struct {
	Mooring   string `json:"mooring"`
	Go        string `json:"go"`
	Platform  string `json:"platform"`
	Terraform *found `json:"terraform"` // null when there is none on PATH
	OpenTofu  *found `json:"opentofu"`
}

// found is an executable on PATH.
type found struct {
	Version string `json:"version,omitempty"`
	Path    string `json:"path"`
	Error   string `json:"error,omitempty"`
}

func (a *app) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		GroupID: "other",
		Short:   "Print the versions of Mooring, Go, and Terraform and OpenTofu on PATH",
		Example: "  mooring version\n  mooring version -o json",
		Args:    arguments(0, 0, "[flags]"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := a.versions(cmd.Context())
			return a.print(v, func(w io.Writer, _ report.Style) error { return v.write(w) })
		},
	}
	return a.withOutput(cmd)
}

func (a *app) versions(ctx context.Context) versions {
	v := versions{Mooring: buildVersion(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	// Terraform takes longer to start than all the rest: both are asked at once.
	var wg sync.WaitGroup
	wg.Go(func() { v.Terraform = a.ask(ctx, "terraform") })
	wg.Go(func() { v.OpenTofu = a.ask(ctx, "tofu") })
	wg.Wait()
	return v
}

// ask starts an executable of PATH for its version, in a place and with an
// environment where no configuration can answer in its stead.
func (a *app) ask(ctx context.Context, name string) *found {
	path, err := exec.LookPath(name)
	if err != nil {
		return nil
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	f := &found{Path: path}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "version", "-json")
	cmd.Dir = "/"
	cmd.Env = []string{"CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE=" + os.DevNull, "PATH=/usr/bin:/bin"}
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		f.Error = "does not say its version: " + err.Error()
		return f
	}
	var answer struct {
		Version string `json:"terraform_version"` // OpenTofu kept the name
	}
	if err := json.Unmarshal(out, &answer); err != nil || answer.Version == "" {
		f.Error = "does not say its version"
		return f
	}
	f.Version = answer.Version
	return f
}

func (v versions) write(w io.Writer) error {
	lines := [][2]string{{"Mooring", v.Mooring}, {"Go", v.Go + " " + v.Platform}, {"Terraform", v.Terraform.line()}}
	if v.OpenTofu != nil {
		lines = append(lines, [2]string{"OpenTofu", v.OpenTofu.line()})
	}
	for _, l := range lines {
		if _, err := fmt.Fprintf(w, "%-10s %s\n", l[0], report.CleanLine(l[1])); err != nil {
			return err
		}
	}
	return nil
}

func (f *found) line() string {
	switch {
	case f == nil:
		return "none on PATH; one is installed when a root module needs it"
	case f.Error != "":
		return f.Path + " " + f.Error
	}
	return f.Version + " " + f.Path
}
