package main

import (
	"bytes"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/parts"
)

// The short form of `make chaos`: a few rounds of every scenario. MOORING_CHAOS_SEED plays those of another run again.
func TestChaosShort(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED, NOT TESTED: -short leaves out the bench that kills Mooring")
	}
	chaos(t, modeNamespaces, "")
}

// In a container there are no namespaces for Terraform: what depends on them is played there, too.
func TestChaosShortUnderLandlock(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED, NOT TESTED: -short leaves out the bench that kills Mooring")
	}
	chaos(t, modeLandlock, "runner kills during an apply,whole-tree kills finished or flagged,orphan scenarios with no process left,SIGTERM points with valid state,SIGTERM with --hand-over,secrets,sandbox escapes refused")
}

func chaos(t *testing.T, mode, only string) {
	t.Helper()
	parts.TerraformForTest(t)
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("MOORING_CHAOS_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	ok, err := run(t.Context(), settings{seed: seed, short: true, mode: mode, only: only}, &out)
	if err != nil || !ok {
		t.Errorf("%v\n%s", err, out.Bytes())
	}
	t.Logf("%s", out.Bytes())
}
