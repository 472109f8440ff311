package parts

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	giteaPath    = "code.gitea.io/gitea"
	giteaVersion = "1.26.0" // the newest: 1.27 declares another module path than the one it is found at

	// GiteaBinary is the program's name in the directory that [Gitea] returns.
	GiteaBinary = "gitea"
)

// giteaModule repeats what Gitea's own go.mod says beside its requirements, since that of a dependency does not count.
const giteaModule = `module parts

go 1.26.2

godebug x509negativeserial=1

require ` + giteaPath + ` v` + giteaVersion + `

replace (
	github.com/Azure/azure-sdk-for-go/sdk/azcore => github.com/Azure/azure-sdk-for-go/sdk/azcore v1.19.0
	github.com/Azure/azure-sdk-for-go/sdk/storage/azblob => github.com/Azure/azure-sdk-for-go/sdk/storage/azblob v1.6.2
	github.com/jaytaylor/html2text => github.com/Necoro/html2text v0.0.0-20250804200300-7bf1ce1c7347
	github.com/microsoft/go-mssqldb => github.com/microsoft/go-mssqldb v1.9.7
	github.com/nektos/act => gitea.com/gitea/act v0.261.10
	github.com/urfave/cli/v3 => github.com/urfave/cli/v3 v3.4.1
	go.yaml.in/yaml/v4 => go.yaml.in/yaml/v4 v4.0.0-rc.3
)
`

// giteaTags choose the built-in database, and the Gitea that reads repositories itself, as its releases for Windows do. The other
// starts two processes of Git whenever it opens one, which is a hundred for a pull request.
const giteaTags = "sqlite sqlite_unlock_notify gogit"

// giteaFiles are the directories of the module that the program reads as it runs.
var giteaFiles = []string{"templates", "options", "public"}

var giteaPart = part{
	name: "gitea", version: giteaVersion + "-" + short(giteaModule, giteaTags, strings.Join(giteaFiles, ",")),
	about: "Gitea " + giteaVersion + ", which takes about four minutes the first time",
	build: buildGitea,
}

//go:embed giteahook/main.go
var giteaHookSource string

// giteaHookPart is built as a module of its own, so that it can be had wherever this package runs.
var giteaHookPart = part{
	name: "giteahook", version: short(giteaHookSource),
	about: "the program for Gitea's hooks",
	build: buildGiteaHook,
}

// Gitea returns the directory of a real Gitea, built from its module: the program and, beside it, what its setting
// STATIC_ROOT_PATH wants to find. Its front end is not built, so pages have no style; all else works.
func Gitea(ctx context.Context, log io.Writer) (dir string, err error) {
	if _, err := GiteaHook(ctx, log); err != nil {
		return "", err
	}
	return giteaPart.ensure(ctx, log)
}

// GiteaHook returns the path of a program that does what `gitea hook` does for the hooks pre-receive and post-receive, in a
// twentieth of the time (11 ms of 238).
func GiteaHook(ctx context.Context, log io.Writer) (string, error) {
	dir, err := giteaHookPart.ensure(ctx, log)
	return filepath.Join(dir, giteaHookBinary), err
}

const giteaHookBinary = "giteahook"

func buildGiteaHook(ctx context.Context, log io.Writer, dir string) error {
	module := filepath.Join(dir, "module")
	if err := throwAway(module, "module giteahook\n\ngo 1.26\n"); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(module, "main.go"), []byte(giteaHookSource), 0o644); err != nil {
		return err
	}
	build := goBuild{dir: module, mod: "readonly", pkg: ".", output: filepath.Join(dir, giteaHookBinary), ldflags: "-s -w"}
	if err := build.run(ctx, log); err != nil {
		return err
	}
	return os.RemoveAll(module)
}

func buildGitea(ctx context.Context, log io.Writer, dir string) error {
	module := filepath.Join(dir, "module")
	if err := throwAway(module, giteaModule); err != nil {
		return err
	}
	build := goBuild{
		dir: module, mod: "mod", pkg: giteaPath, output: filepath.Join(dir, GiteaBinary),
		ldflags: "-s -w -X main.Version=" + giteaVersion,
		tags:    giteaTags, cgo: true,
	}
	if err := build.run(ctx, log); err != nil {
		return err
	}
	source, err := moduleDir(ctx, module, giteaPath)
	if err != nil {
		return err
	}
	for _, name := range giteaFiles {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(source, name))); err != nil {
			return fmt.Errorf("copy %s: %w", name, err)
		}
	}
	return os.RemoveAll(module)
}

// moduleDir is where Go keeps the source of a module that the one at dir requires.
func moduleDir(ctx context.Context, dir, path string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-mod=mod", "-m", "-f", "{{.Dir}}", path)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("find source of %s: %w", path, err)
	}
	return strings.TrimSpace(string(out)), nil
}
