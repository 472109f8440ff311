package runner

import (
	"errors"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/internal/forge"
)

func TestThePaceOfLooks(t *testing.T) {
	noon := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	settled, unsettled := func() bool { return false }, func() bool { return true }
	p := &pace{}
	if pause, least := p.after(nil, noon, time.Minute, settled); least != 0 || pause < 50*time.Second {
		t.Errorf("a quiet look: %s, at least %s", pause, least)
	}
	if pause, _ := p.after(nil, noon.Add(time.Minute), time.Minute, unsettled); pause != sameSecond {
		t.Errorf("what may hide in the same second is looked for after %s", pause)
	}

	// A thousand hints at once.
	looks, now := 0, noon.Add(time.Hour)
	for end := now.Add(10 * time.Second); now.Before(end); looks++ {
		_, least := p.after(nil, now, time.Minute, settled)
		now = now.Add(least + time.Millisecond)
	}
	if looks < 40 || looks > 40+lookBurst+1 {
		t.Errorf("%d looks in 10 s of hints", looks)
	}

	// A forge that is away.
	now = now.Add(time.Hour)
	for range 20 {
		pause, least := p.after(errors.New("502"), now, time.Second, settled)
		if least < firstPause/2 || pause > lastLook {
			t.Errorf("after an error: %s, at least %s", pause, least)
		}
		now = now.Add(pause)
	}
	// Its limit is kept, whatever hints come, and is not held against it.
	limit := &forge.LimitError{Until: now.Add(7 * time.Second)}
	if pause, least := p.after(limit, now, time.Second, settled); pause != 7*time.Second || least != 7*time.Second {
		t.Errorf("after a limit of 7 s: %s, at least %s", pause, least)
	}
	if p.after(nil, now, time.Second, settled); p.trouble != 0 {
		t.Errorf("trouble %d after a good look", p.trouble)
	}
}
