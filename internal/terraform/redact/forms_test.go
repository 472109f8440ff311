package redact

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

const pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\nMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3S\nCgiL\n-----END PRIVATE KEY-----\n"

// TestForms hides a secret in each form, and nothing beside it.
func TestForms(t *testing.T) {
	const plain, odd = "hunter2-is-long", "p<a>s&s \"w\\ö\t${x}'y+/z"
	marshal := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, tc := range map[string]struct{ secret, text, want string }{
		"plain":               {plain, "a hunter2-is-long b", "a (sensitive value) b"},
		"twice":               {plain, plain + " " + plain, hidden + " " + hidden},
		"nothing":             {plain, "a hunter2 b", "a hunter2 b"},
		"three bytes":         {"abc", "abc", "abc"},
		"four bytes":          {"abcd", "xabcdx", "x(sensitive value)x"},
		"space around":        {"  hunter2-is-long\n", "a hunter2-is-long b", "a (sensitive value) b"},
		"wrapped by width":    {"correct horse battery", "a correct horse\nbattery b", "a (sensitive value) b"},
		"JSON of Go":          {odd, `"p\u003ca\u003es\u0026s \"w\\ö\t${x}'y+/z"`, `"(sensitive value)"`},
		"JSON open":           {odd, `"p<a>s&s \"w\\ö\t${x}'y+/z"`, `"(sensitive value)"`},
		"JSON of Python":      {odd, `"p<a>s&s \"w\\\u00f6\t${x}'y+/z"`, `"(sensitive value)"`},
		"JSON beyond 16 bits": {"key😀key", `"key\ud83d\ude00key"`, `"(sensitive value)"`},
		"JSON in JSON":        {odd, marshal(map[string]string{"a": marshal([]string{odd})}), `{"a":"[\"(sensitive value)\"]"}`},
		"HCL":                 {odd, `"p<a>s&s \"w\\ö\t$${x}'y+/z"`, `"(sensitive value)"`},
		"%q":                  {"a\x01b\u200bcdef", fmt.Sprintf("%q", "a\x01b\u200bcdef"), `"(sensitive value)"`},
		"shell":               {odd, `'p<a>s&s "w\ö` + "\t" + `${x}'\''y+/z'`, "'(sensitive value)'"},
		"base64":              {plain, "a aHVudGVyMi1pcy1sb25n b", "a (sensitive value) b"},
		"base64 padded":       {"hunter2", "aHVudGVyMg== b", "(sensitive value) b"},
		"base64 raw":          {"hunter2", "aHVudGVyMg b", "(sensitive value) b"},
		"base64 and newline":  {"hunter2\n", "aHVudGVyMgo= b", "(sensitive value) b"},
		"base64 for URLs":     {"??>>??>>", base64.URLEncoding.EncodeToString([]byte("??>>??>>")), hidden},
		"base64 of JSON":      {pem, base64.StdEncoding.EncodeToString([]byte(strings.Trim(marshal(strings.TrimSpace(pem)), `"`))), hidden},
		"query":               {odd, "?a=" + url.QueryEscape(odd) + "&b", "?a=(sensitive value)&b"},
		"query, lower case":   {"pa/ss?word", "a=pa%2fss%3fword", "a=(sensitive value)"},
		"path segment":        {odd, "/" + url.PathEscape(odd) + "/b", "/(sensitive value)/b"},
		"path":                {"pa ss/word", "/pa%20ss/word/b", "/(sensitive value)/b"},
		"browser":             {"it's (a) *secret*!", "a=it's%20(a)%20*secret*!", "a=(sensitive value)"},
		"user and password":   {"p@ss:wo/rd", (&url.URL{Scheme: "https", User: url.UserPassword("me", "p@ss:wo/rd"), Host: "h"}).String(), "https://me:(sensitive value)@h"},
		"hex":                 {plain, fmt.Sprintf("a%xb", plain)[1:], hidden + "b"},
		"HEX":                 {plain, fmt.Sprintf("%X", plain), hidden},
		"hex of seven bytes":  {"hunter2", "68756e74657232", "68756e74657232"},
		"all lines":           {pem, "a\n" + pem + "b", "a\n(sensitive value)\nb"},
		"line of several":     {pem, "  MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3S", "  (sensitive value)"},
		"armour alone":        {pem, "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----"},
		"in JSON of a secret": {`{"user":"me","password":"hunter2-is-long"}`, "a hunter2-is-long b", "a (sensitive value) b"},
		"CRLF written LF":     {"ab12\r\ncd34", "ab12\ncd34", hidden},
		"cut off":             {plain, "a hunter2-is-l", "a (sensitive value)"},
		"cut off early":       {plain, "a hunter2", "a hunter2"},
		"cut off half-way":    {plain, "a hunter2-i", "a hunter2-i"},
		"hidden already":      {"value", "(sensitive value) of value", "(sensitive value) of (sensitive value)"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := New(tc.secret).Text(tc.text); got != tc.want {
				t.Errorf("got %q, want %q; text %q", got, tc.want, tc.text)
			}
		})
	}
}

// TestBase64Within shows how little is left of a secret in the base64 of a longer text:
// at either end at most one character that has bits of it.
func TestBase64Within(t *testing.T) {
	for _, secret := range []string{"hunt", "hunter2", "hunter2-is-long", "12345678901234567890123456789012"} {
		r := New(secret)
		for before := range 7 {
			for after := range 4 {
				text := strings.Repeat("x", before) + secret + strings.Repeat("y", after)
				got := r.Text(base64.StdEncoding.EncodeToString([]byte(text)))
				left, right, ok := strings.Cut(got, hidden)
				if !ok {
					t.Errorf("%q: %q", text, got)
					continue
				}
				last := 8 * (before + len(secret)) / 6 // the first character with bits of the ys
				if len(left) > (8*before+5)/6 || len(strings.TrimRight(right, "=")) > (8*len(text)+5)/6-last {
					t.Errorf("%q: %q: more than the edge is left", text, got)
				}
			}
		}
	}
}

// TestLongSecrets: those that are hidden in windows, in each form.
func TestLongSecrets(t *testing.T) {
	for _, size := range []int{window - 1, window + overlap + 1, 3*window + 5, huge + 77} {
		var b strings.Builder
		for i := 0; b.Len() < size; i++ {
			fmt.Fprintf(&b, "%dö\"<%d", i*7919, i)
		}
		secret := b.String()
		quoted, err := json.Marshal(secret)
		if err != nil {
			t.Fatal(err)
		}
		texts := map[string]string{
			"plain": secret, "JSON": string(quoted[1 : len(quoted)-1]),
			"base64": base64.StdEncoding.EncodeToString([]byte(secret)),
		}
		if size < huge {
			texts["query"] = url.QueryEscape(secret)
			texts["hex"] = fmt.Sprintf("%x", secret)
			texts["base64 within"] = base64.StdEncoding.EncodeToString([]byte("x" + secret))[2:]
		}
		r := New(secret)
		for name, text := range texts {
			got := strings.ReplaceAll(r.Text("a "+text+" b"), hidden, "")
			if len(got) > len("a  b")+4 || !strings.HasPrefix(got, "a ") || !strings.HasSuffix(got, " b") {
				t.Errorf("%d bytes, %s: %d bytes are left: %.80q", size, name, len(got), got)
			}
		}
		if most := 6*(window+overlap) + 100; longest(r) > most {
			t.Errorf("%d bytes: a form of %d, more than %d", size, longest(r), most)
		}
	}
}

func longest(r *Redactor) (n int) {
	for _, d := range r.current().depth {
		n = max(n, int(d))
	}
	return n
}

// TestOverlap hides the union: nothing is left of a secret that overlaps another.
func TestOverlap(t *testing.T) {
	for text, want := range map[string]string{
		"x abcdefghij y":        "x (sensitive value) y",
		"x abcdefgh y":          "x (sensitive value)gh y",
		"x defghij abcdef y":    "x (sensitive value) (sensitive value) y",
		"x bcdeabcdefghijklm y": "x (sensitive value)(sensitive value)klm y",
		"aaaaaaaaaaaaaaaaaaaaa": "(sensitive value)",
	} {
		if got := New("abcdef", "defghij", "bcde", "aaaa").Text(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestBudget: thousands of secrets, and big ones, leave a matcher that has room beside
// the rest of the program, and each is hidden.
func TestBudget(t *testing.T) {
	var secrets []string
	for i := range 6000 {
		secrets = append(secrets, fmt.Sprintf("%x-secret-%d-%s", i*7919, i, strings.Repeat("x", i%100)))
	}
	secrets = append(secrets, string(terraformLike(1<<19, []string{"x"})))
	r := New(secrets...)
	for i, s := range secrets {
		if i%37 != 0 && i < 6000 {
			continue // the race detector is slow
		}
		if got := r.Text("a " + s + " b"); got != "a "+hidden+" b" {
			t.Fatalf("%.80q: %.200q", s, got)
		}
	}
	if mb := len(r.current().label) * 17 >> 20; mb > 120 {
		t.Errorf("the matcher takes %d MB", mb)
	} else {
		t.Logf("the matcher takes %d MB", mb)
	}
}
