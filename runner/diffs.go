package runner

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mooring-iac/mooring/internal/terraform/redact"
	"github.com/mooring-iac/mooring/k8s"
)

// Diffs in the journal are bounded, in bytes of their JSON: a run is read whole whenever somebody looks at it.
const (
	diffLimit  = 64 << 10 // of one object
	diffsLimit = 1 << 20  // of one unit
)

// boundDiffs cuts what is too long, and says so in the diff's note. Nothing is cut of which objects there are.
func boundDiffs(objects []ObjectResult) {
	left := diffsLimit
	for i := range objects {
		d := objects[i].Diff
		if d == nil {
			continue
		}
		size := sizeOf(d)
		if limit := min(left, diffLimit); size > limit {
			d = cutDiff(d, limit)
			objects[i].Diff, size = d, sizeOf(d)
		}
		left -= min(size, left)
	}
}

// cutDiff is as much of a diff as fits: its text to the end of a line, and its fields without their values.
func cutDiff(d *k8s.Diff, limit int) *k8s.Diff {
	short := &k8s.Diff{Adopts: d.Adopts}
	text, fields := len(d.Text), len(d.Changes)
	room := limit - len(d.Note) - 200 // for the notes themselves
	for _, c := range d.Changes {
		c.Old, c.New = nil, nil
		if room -= len(c.Path) + 60; room < limit/2 {
			break
		}
		short.Changes = append(short.Changes, c)
	}
	for line := range strings.Lines(d.Text) {
		quoted, err := json.Marshal(line)
		if room -= len(quoted); err != nil || room < 0 {
			break
		}
		short.Text += line
	}
	note := fmt.Sprintf("cut: %d of %d bytes of text, %d of %d fields without their values; `mooring plan` shows all", len(short.Text), text, len(short.Changes), fields)
	if short.Note = note; d.Note != "" {
		short.Note = d.Note + "; " + note
	}
	return short
}

func sizeOf(d *k8s.Diff) int {
	data, err := json.Marshal(d)
	if err != nil { // it came out of JSON
		return diffsLimit
	}
	return len(data)
}

// hideInDiffs takes sensitive values out that an object shows although no Secret holds them: what was written by
// hand into a cluster, say.
func hideInDiffs(objects []ObjectResult, hide *redact.Redactor) {
	if hide == nil || len(hide.Secrets()) == 0 {
		return
	}
	for i := range objects {
		d := objects[i].Diff
		if d == nil {
			continue
		}
		d.Text = hide.Text(d.Text)
		for k := range d.Changes {
			c := &d.Changes[k]
			c.Path, c.Old, c.New = hide.Text(c.Path), hideIn(c.Old, hide), hideIn(c.New, hide)
		}
	}
}

// sensitiveIn knows the sensitive values that a set was given.
func sensitiveIn(src k8s.Source) *redact.Redactor {
	hide := redact.New()
	for _, v := range src.Values {
		if v.Sensitive && !v.Unknown {
			hide.AddJSON(v.JSON)
		}
	}
	return hide
}

func hideIn(v any, hide *redact.Redactor) any {
	switch v := v.(type) {
	case string:
		return hide.Text(v)
	case []string:
		out := make([]string, len(v))
		for i := range v {
			out[i] = hide.Text(v[i])
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = hideIn(v[i], hide)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[hide.Text(k)] = hideIn(v[k], hide)
		}
		return out
	case int64, float64:
		if text := fmt.Sprint(v); hide.Text(text) != text {
			return hide.Text(text)
		}
	}
	return v
}
