package gitea

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/mooring-iac/mooring/e2e/parts"
)

// user is who Gitea runs as: ourselves, or nobody in particular when we are root, which it refuses to be.
type user struct {
	id int // 0 is ourselves
}

// throwAway is the number of a user that no system has: Debian's policy gives out none from 65000 to 65533.
const throwAway = 65111

func someUser() user {
	if os.Geteuid() != 0 {
		return user{}
	}
	return user{id: throwAway}
}

// place makes dir, and returns where the user finds the program. The cache of parts lies in root's home, where nobody
// else may go, so the files are linked into dir, or copied where it is on another disk.
func (u user) place(part, dir string) (program string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make directory: %w", err)
	}
	if u.id == 0 {
		return part, nil
	}
	if err := os.Chown(dir, u.id, u.id); err != nil {
		return "", fmt.Errorf("give directory away: %w", err)
	}
	program = filepath.Join(dir, "program")
	err = filepath.WalkDir(part, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(part, path)
		if err != nil {
			return err
		}
		to := filepath.Join(program, name)
		if entry.IsDir() {
			return os.Mkdir(to, 0o755)
		}
		if err := os.Link(path, to); !errors.Is(err, syscall.EXDEV) && !errors.Is(err, fs.ErrPermission) {
			return err
		}
		return copyFile(path, to)
	})
	if err != nil {
		return "", fmt.Errorf("place program: %w", err)
	}
	return program, nil
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	file, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(file, source)
	return errors.Join(err, file.Close())
}

// write makes a file that the user alone may read.
func (u user) write(path, content string) error {
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return err
	}
	if u.id == 0 {
		return nil
	}
	return os.Chown(path, u.id, u.id)
}

// command is a call of Gitea with the directory's configuration, and with nothing of our environment but PATH.
func (u user) command(ctx context.Context, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(program, parts.GiteaBinary), append([]string{"--config", configFile(dir), "--work-path", dir}, args...)...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "USER=gitea", "LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GOGC=400", // also of its hooks: there is memory, and two processors for everything
	}
	cmd.SysProcAttr = childOf()
	if u.id != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(u.id), Gid: uint32(u.id)}
	}
	return cmd
}
