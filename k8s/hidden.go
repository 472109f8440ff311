package k8s

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// minHidden is how many bytes a sensitive text needs to be told from any other text.
const minHidden = 4

// hidden are sensitive texts that went through something which cannot be watched, such as a template: they are
// looked for in what came out. A nil one finds nothing.
type hidden struct {
	texts []hiddenText
}

type hiddenText struct {
	name  string // what the value is called, for errors
	forms []string
	words []string // parts of it that an error may quote, when something took it apart
}

var wordOf = regexp.MustCompile(`[\pL\pN_]{4,}`)

// add notes a text; false when it is too short to be looked for. An empty text hides nothing.
func (h *hidden) add(name, text string) bool {
	if text == "" {
		return true
	}
	if len(strings.TrimSpace(text)) < minHidden {
		return false
	}
	h.texts = append(h.texts, hiddenText{name, formsOf(text), wordOf.FindAllString(text, -1)})
	return true
}

// formsOf are the ways in which a text may be written: itself, in JSON, in a URL, in hexadecimal digits, in
// base64 alone or amid other text, and, of a text of many lines, each line, which may have been indented.
func formsOf(text string) []string {
	trimmed := strings.TrimSpace(text)
	quoted, _ := json.Marshal(trimmed)
	forms := []string{trimmed, string(quoted[1 : len(quoted)-1]), strings.Trim(strconv.Quote(trimmed), `"`), url.QueryEscape(trimmed), url.PathEscape(trimmed)}
	if len(trimmed) >= 6 {
		forms = append(forms, hex.EncodeToString([]byte(trimmed)))
		forms = append(forms, base64Forms(trimmed)...)
	} else {
		forms = append(forms, base64.StdEncoding.EncodeToString([]byte(trimmed)))
	}
	if lines := strings.Split(trimmed, "\n"); len(lines) > 1 {
		for _, l := range lines {
			if l = strings.TrimSpace(l); len(l) >= 16 && !strings.HasPrefix(l, "-----") {
				forms = append(forms, l)
			}
		}
	}
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return slices.Compact(forms)
}

// base64Forms are the digits that any base64 text holds which encodes the text at one of the three offsets,
// whatever stands before and after it.
func base64Forms(text string) (forms []string) {
	for offset := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString(append(make([]byte, offset), text...))
		first := (offset*8 + 5) / 6 // digits that also hold bits of what stands before
		last := (offset + len(text)) * 8 / 6
		digits := encoded[first:last]
		forms = append(forms, digits, strings.NewReplacer("+", "-", "/", "_").Replace(digits))
	}
	return forms
}

// in names the first value that shows in a text, or "".
func (h *hidden) in(text string) string {
	if h == nil {
		return ""
	}
	for _, t := range h.texts {
		for _, form := range t.forms {
			if strings.Contains(text, form) {
				return t.name
			}
		}
	}
	return ""
}

// conceal takes the values out of a text meant for people.
func (h *hidden) conceal(text string) string {
	if h == nil {
		return text
	}
	for _, t := range h.texts {
		for _, form := range append(t.forms[:len(t.forms):len(t.forms)], t.words...) {
			text = strings.ReplaceAll(text, form, "(sensitive)")
		}
	}
	return text
}

// check finds values that stand where everybody sees them: anywhere but in data and stringData of a Secret. A
// Secret that holds one is marked.
func (h *hidden) check(o *Object) []*SourceError {
	if h == nil || len(h.texts) == 0 {
		return nil
	}
	w := hiddenWalk{hidden: h, object: o}
	w.walk(nil, o.Object)
	return w.faults
}

type hiddenWalk struct {
	*hidden
	object *Object
	faults []*SourceError
}

func (w *hiddenWalk) walk(at []string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			w.text(at, k)
			w.walk(append(at, k), v[k])
		}
	case []any:
		for i, item := range v {
			w.walk(append(at, strconv.Itoa(i)), item)
		}
	case nil:
	default:
		w.text(at, fmt.Sprint(v))
	}
}

func (w *hiddenWalk) text(at []string, text string) {
	secret := w.object.isSecret() && len(at) == 2 && (at[0] == "data" || at[0] == "stringData")
	if secret && at[0] == "data" {
		if plain, err := base64.StdEncoding.DecodeString(text); err == nil && w.in(string(plain)) != "" {
			w.object.sensitive = true
		}
	}
	name := w.in(text)
	switch {
	case name == "":
	case secret:
		w.object.sensitive = true
	default:
		w.faults = append(w.faults, &SourceError{File: w.object.File, Line: w.object.lineOf(at), Message: w.conceal(fmt.Sprintf(
			"%s is sensitive and may stand only in data or stringData of a Secret, not at %s of a %s", name, fieldPath(at), w.object.GetKind()))})
	}
}
