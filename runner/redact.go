package runner

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"github.com/mooring-iac/mooring/internal/terraform"
)

// redactor takes sensitive values out of text. Terraform masks what it knows to be
// sensitive; a sensitive output that is handed to a variable which is not declared
// so is known to Mooring alone.
type redactor struct{ r *strings.Replacer }

// shortest is the length in bytes from which a value is worth hiding: shorter ones
// stand in every other word.
const shortest = 4

const hidden = "(sensitive value)"

// newRedactor hides every string in the sensitive variables, in the forms in which
// text may have it: plain, as JSON, as base64, and line by line.
func newRedactor(variables map[string]terraform.Variable) redactor {
	var secrets []string
	for _, v := range variables {
		if !v.Sensitive {
			continue
		}
		var value any
		if err := json.Unmarshal(v.JSON, &value); err != nil {
			secrets = append(secrets, string(v.JSON))
			continue
		}
		secrets = leaves(value, secrets)
	}
	var forms []string
	for _, s := range secrets {
		for _, f := range formsOf(s) {
			if len(f) >= shortest {
				forms = append(forms, f)
			}
		}
	}
	// The longest first: a value may hold another.
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(forms))
	for _, f := range slices.Compact(forms) {
		pairs = append(pairs, f, hidden)
	}
	return redactor{strings.NewReplacer(pairs...)}
}

func leaves(value any, into []string) []string {
	switch v := value.(type) {
	case string:
		into = append(into, v)
	case []any:
		for _, e := range v {
			into = leaves(e, into)
		}
	case map[string]any:
		for _, e := range v {
			into = leaves(e, into)
		}
	case float64, bool, nil: // too short or too common to be told from other text
	}
	return into
}

func formsOf(s string) []string {
	quoted, _ := json.Marshal(s) // a string always marshals
	forms := []string{s, strings.Trim(string(quoted), `"`), base64.StdEncoding.EncodeToString([]byte(s))}
	if strings.Contains(s, "\n") {
		for line := range strings.Lines(s) {
			if line = strings.TrimSpace(line); len(line) >= 2*shortest {
				forms = append(forms, line)
			}
		}
	}
	return forms
}

func (r redactor) text(s string) string { return r.r.Replace(s) }

// writer hides values in what is written to w. Terraform's output comes a line a
// write.
func (r redactor) writer(w io.Writer) io.Writer { return redactingWriter{r, w} }

type redactingWriter struct {
	redactor
	w io.Writer
}

func (w redactingWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.w, w.text(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// redactedError says what an error says, without the values.
type redactedError struct {
	error
	text string
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.error }

func (r redactor) err(err error) error {
	if err == nil {
		return nil
	}
	return &redactedError{err, r.text(err.Error())}
}
