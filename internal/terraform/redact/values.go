package redact

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
)

// decode reads a JSON value, numbers as they are written.
func decode(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return value, nil
}

// leaves appends the strings in a value, and the numbers of eight digits or more.
func leaves(value any, into []string) []string {
	switch v := value.(type) {
	case string:
		into = append(into, v)
	case json.Number:
		into = appendNumber(into, v.String())
	case float64:
		into = appendNumber(into, strconv.FormatFloat(v, 'f', -1, 64))
	case []any:
		for _, e := range v {
			into = leaves(e, into)
		}
	case map[string]any:
		for _, e := range v {
			into = leaves(e, into)
		}
	}
	return into
}

func appendNumber(into []string, n string) []string {
	digits := 0
	for _, c := range n {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	if digits < longEnough {
		return into
	}
	return append(into, n)
}

// embedded is the leaves of a secret that is JSON, such as the key of a service account,
// but for what such keys have in common: "googleapis.com" hidden everywhere would leave
// no message that can be read.
func embedded(s string) []string {
	s = strings.TrimSpace(s)
	if !strings.HasPrefix(s, "{") && !strings.HasPrefix(s, "[") {
		return nil
	}
	value, err := decode(s)
	if err != nil {
		return nil
	}
	return leaves(withoutCommon(value), nil)
}

var commonKeys = []string{
	"type", "universe_domain", "project_id", "quota_project_id", "auth_uri", "token_uri",
	"auth_provider_x509_cert_url", "client_x509_cert_url",
}

func withoutCommon(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			if !slices.Contains(commonKeys, k) {
				out[k] = withoutCommon(e)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = withoutCommon(e)
		}
		return out
	}
	return value
}
