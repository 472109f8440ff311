package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// A journal has one line an event, appended by whoever it happens to:
//
//	workspace run resource start|end time     an effect; run is generation.session
//	workspace - - killed time                 the bench ended every process of the workspace ("*": of all)
//	workspace - - approved time               a person said yes to a new plan after an interruption
//
// The generation says which commit asks for the effect, the session which process tree made it: it is drawn at random by
// the first effect of a tree, in the private TMPDIR that all its effects share. The order of the lines is the order of
// events, since each is one append; the time is only for people.
type line struct {
	workspace  string
	generation string
	session    string
	resource   string
	event      string // start, end, killed, approved
	time       time.Time
}

const (
	everyWorkspace = "*"

	eventStart    = "start"
	eventEnd      = "end"
	eventKilled   = "killed"
	eventApproved = "approved"
)

// parseJournal reads a journal. A line that is torn or strange is an error: appends of one line are whole or not there.
func parseJournal(text string) ([]line, error) {
	var lines []line
	for i, row := range strings.SplitAfter(text, "\n") {
		if row == "" {
			continue
		}
		l, err := parseLine(row)
		if err != nil {
			return nil, fmt.Errorf("journal, line %d, %q: %w", i+1, row, err)
		}
		lines = append(lines, l)
	}
	return lines, nil
}

func parseLine(row string) (line, error) {
	whole, ok := strings.CutSuffix(row, "\n")
	if !ok {
		return line{}, fmt.Errorf("it is cut off")
	}
	f := strings.Split(whole, " ")
	if len(f) != 5 {
		return line{}, fmt.Errorf("it has %d fields, want 5", len(f))
	}
	l := line{workspace: f[0], resource: f[2], event: f[3]}
	seconds, err := strconv.ParseFloat(f[4], 64)
	if err != nil {
		return line{}, fmt.Errorf("no time: %w", err)
	}
	l.time = time.UnixMicro(int64(seconds * 1e6))
	switch l.event {
	case eventStart, eventEnd:
		l.generation, l.session, ok = strings.Cut(f[1], ".")
		if !ok || l.generation == "" || l.session == "" {
			return line{}, fmt.Errorf("run %q is not generation.session", f[1])
		}
	case eventKilled, eventApproved:
	default:
		return line{}, fmt.Errorf("event %q", l.event)
	}
	return l, nil
}

func readJournal(path string) ([]line, error) {
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseJournal(string(b))
}

// mark appends an event of the bench's own.
func mark(path, workspace, event string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s - - %s %d\n", workspace, event, time.Now().Unix())
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// count says how many lines of a generation have the event.
func count(lines []line, generation, event string) int {
	n := 0
	for _, l := range lines {
		if l.generation == generation && l.event == event {
			n++
		}
	}
	return n
}
