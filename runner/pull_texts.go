package runner

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// diffLimitOnDisk bounds the readable diff that is kept of a unit, in bytes.
const diffLimitOnDisk = 16 << 20

// What is kept of a unit's plan beside its log: its readable form, and what differs in
// it from the plan that was reviewed.
const (
	diffSuffix       = ".diff"
	differenceSuffix = ".difference"
)

// keepText keeps a text about a unit's plan beside its log. Secrets are taken out by
// the caller.
func (r *Runner) keepText(run, unit, suffix, text string) error {
	log, err := r.logFile(run, unit)
	if err != nil {
		return err
	}
	if len(text) > diffLimitOnDisk {
		text = strings.ToValidUTF8(text[:diffLimitOnDisk], "") + "\n(cut: it is longer than 16 MiB)\n"
	}
	return os.WriteFile(besideLog(log, suffix), []byte(text), 0o600)
}

func besideLog(log, suffix string) string { return strings.TrimSuffix(log, ".log") + suffix }

// planText reads it; "" where there is none.
func (r *Runner) planText(run, unit, suffix string) string {
	text, _ := os.ReadFile(besideLog(filepath.Join(r.opts.DataDir, "runs", run, fileName(unit)+".log"), suffix))
	return string(text)
}

// logText reads the end of what Terraform printed, at most limit bytes.
func (r *Runner) logText(run, unit string, limit int64) string {
	f, err := r.Log(run, unit)
	if err != nil {
		return ""
	}
	defer f.Close()
	var text bytes.Buffer
	if file, ok := f.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Size() > limit {
			_, _ = file.Seek(-limit, io.SeekEnd) // a whole file is no worse
		}
	}
	_, _ = io.Copy(&text, io.LimitReader(f, limit)) // what could be read is shown
	return text.String()
}
