package runner

import "testing"

func TestRunStatusIsTheFirstOfTheContract(t *testing.T) {
	tests := []struct {
		name  string
		units []Status
		err   string
		held  string
		want  Status
	}{
		{"nothing changed", []Status{Unchanged, Unchanged}, "", "", Unchanged},
		{"one applied", []Status{Unchanged, Applied}, "", "", Applied},
		{"planned outranks applied", []Status{Applied, Planned}, "", "", Planned},
		{"held outranks planned", []Status{Held, Planned, Applied}, "", "", Held},
		{"failed outranks held", []Status{Held, Failed, Skipped}, "", "", Failed},
		{"interrupted outranks failed", []Status{Failed, Interrupted}, "", "", Interrupted},
		{"running outranks all", []Status{Interrupted, Running, Failed}, "", "", Running},
		{"nothing began", []Status{Queued, Queued}, "", "", Queued},
		{"some began", []Status{Unchanged, Queued}, "", "", Running},
		{"no units and an error", nil, "mooring.hcl:3: …", "", Failed},
		{"no units", nil, "", "", Unchanged},
		{"held as a whole", []Status{Held, Held}, "", "removes 6 of 8 units", Held},
		{"overtaken", []Status{Superseded, Unchanged}, "", "", Superseded},
		{"said no to", []Status{Discarded}, "", "", Discarded},
		{"only deferred", []Status{Deferred}, "", "", Unchanged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Run{Error: tt.err, Held: tt.held}
			for _, s := range tt.units {
				r.Units = append(r.Units, UnitResult{Status: s})
			}
			if r.Settle(); r.Status != tt.want {
				t.Errorf("status = %s, want %s", r.Status, tt.want)
			}
		})
	}
}
