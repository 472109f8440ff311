package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mooring": main})
}

// TestCommandLine runs the scripts that need nothing but Mooring.
func TestCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Setup: hermetic, Cmds: scriptCommands})
}

// TestEndToEnd runs the scripts that need the real Terraform and git.
func TestEndToEnd(t *testing.T) {
	for _, part := range []string{"terraform", "git"} {
		if _, err := exec.LookPath(part); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not on PATH, and CI runs everything", part)
			}
			t.Skipf("SKIPPED: %s is not on PATH; these tests run the real one", part)
		}
	}
	testscript.Run(t, testscript.Params{Dir: "testdata/e2e", Setup: hermetic, Cmds: scriptCommands})
}

// hermetic keeps a script from everything of the person's who runs the tests.
func hermetic(e *testscript.Env) error {
	rc := filepath.Join(e.WorkDir, ".terraformrc")
	if err := os.WriteFile(rc, nil, 0o600); err != nil {
		return err
	}
	e.Setenv("HOME", e.WorkDir)
	e.Setenv("TF_CLI_CONFIG_FILE", rc)
	e.Setenv("CHECKPOINT_DISABLE", "1")
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		e.Setenv("GIT_"+who+"_NAME", "Anna")
		e.Setenv("GIT_"+who+"_EMAIL", "anna@example.com")
	}
	e.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	// A race detector waits a second at the end of each process; a script has fifty.
	e.Setenv("GORACE", "atexit_sleep_ms=0")
	return nil
}

var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"json":    scriptJSON,
	"answers": scriptAnswers,
	"port":    scriptPort,
	"get":     scriptGet,
}

// scriptJSON is "json FILE PATH VALUE": the value at a path such as
// runs.0.units.1.status, as text; "[N]" compares a length.
func scriptJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: json file path value")
	}
	var v any
	if err := json.Unmarshal([]byte(ts.ReadFile(args[0])), &v); err != nil {
		ts.Fatalf("%s is not JSON: %v", args[0], err)
	}
	between := "."
	if strings.Contains(args[1], "|") { // for names with dots
		between = "|"
	}
	for step := range strings.SplitSeq(args[1], between) {
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(at) {
				ts.Fatalf("%s: there is no %q in a list of %d", args[1], step, len(at))
			}
			v = at[i]
		default:
			ts.Fatalf("%s: there is nothing at %q", args[1], step)
		}
	}
	got := fmt.Sprint(v)
	if list, ok := v.([]any); ok && strings.HasPrefix(args[2], "[") {
		got = fmt.Sprintf("[%d]", len(list))
	}
	if (got == args[2]) == neg {
		ts.Fatalf("%s is %s, want %s (negated: %v)", args[1], got, args[2], neg)
	}
}

// scriptAnswers is "answers ADDRESS": waits until a unix socket or a TCP address
// takes a connection.
func scriptAnswers(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 || neg {
		ts.Fatalf("usage: answers address")
	}
	network, address := "tcp", args[0]
	if !strings.Contains(address, ":") {
		network, address = "unix", ts.MkAbs(address)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial(network, address)
		if err == nil {
			ts.Check(conn.Close())
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("nobody answers: %v", err)
		}
	}
}

// scriptPort is "port NAME": sets a variable to a TCP port that is free now.
func scriptPort(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 || neg {
		ts.Fatalf("usage: port name")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	ts.Check(l.Close())
}

// scriptGet is "get URL FILE": writes the status and the body to the file.
func scriptGet(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 || neg {
		ts.Fatalf("usage: get url file")
	}
	resp, err := http.Get(args[0])
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), append([]byte(resp.Status+"\n"), body...), 0o600))
}
