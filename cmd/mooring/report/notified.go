package report

import (
	"fmt"
	"io"
)

// Notified is how one channel fared with a test message.
type Notified struct {
	Channel string  `json:"channel"`
	OK      bool    `json:"ok"`
	Seconds float64 `json:"seconds"`
	Error   string  `json:"error,omitempty"` // holds no secret
}

// NotifiedTable prints one line a channel.
func NotifiedTable(w io.Writer, all []Notified, s Style) error {
	t := table{head: []string{"CHANNEL", "RESULT", "SECONDS"}}
	for _, n := range all {
		result, c := "taken", green
		if !n.OK {
			result, c = "failed: "+CleanLine(n.Error), red
		}
		t.rows = append(t.rows, row{color: c, paint: 1, cells: []string{CleanLine(n.Channel), result, fmt.Sprintf("%.1f", n.Seconds)}})
	}
	return t.write(w, s)
}
