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
	parts.TerraformForTest(t)
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("MOORING_CHAOS_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	ok, err := run(t.Context(), settings{seed: seed, short: true, mode: modeNamespaces}, &out)
	if err != nil || !ok {
		t.Errorf("%v\n%s", err, out.Bytes())
	}
	t.Logf("%s", out.Bytes())
}
