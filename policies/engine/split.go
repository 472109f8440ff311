package engine

import (
	"encoding/json"
	"errors"
	"fmt"
)

// A plan may be large, and its parts are decoded side by side. These two find where parts begin and end, by brackets and
// quotes alone. They hold what is between the parts against JSON's grammar; the parts are the caller's to check.

// members splits an object into its members. A name that is there twice is an error.
func members(body []byte) (map[string]json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	err := split(body, '{', '}', func(name string, value json.RawMessage) error {
		if _, there := all[name]; there {
			return fmt.Errorf("%q is there twice", name)
		}
		all[name] = value
		return nil
	})
	return all, err
}

// elements splits a list.
func elements(body []byte) ([]json.RawMessage, error) {
	var all []json.RawMessage
	err := split(body, '[', ']', func(_ string, value json.RawMessage) error {
		all = append(all, value)
		return nil
	})
	return all, err
}

var errSplit = errors.New("it is not whole JSON")

func split(body []byte, opening, closing byte, each func(name string, value json.RawMessage) error) error {
	i := space(body, 0)
	if i >= len(body) || body[i] != opening {
		return fmt.Errorf("it does not begin with %c", opening)
	}
	i = space(body, i+1)
	if i < len(body) && body[i] == closing {
		return end(body, i+1)
	}
	for {
		name := ""
		if opening == '{' {
			to := value(body, i)
			if i >= len(body) || body[i] != '"' || json.Unmarshal(body[i:to], &name) != nil {
				return errSplit
			}
			if i = space(body, to); i >= len(body) || body[i] != ':' {
				return errSplit
			}
			i = space(body, i+1)
		}
		to := value(body, i)
		if to == i {
			return errSplit
		}
		if err := each(name, json.RawMessage(body[i:to])); err != nil {
			return err
		}
		if i = space(body, to); i >= len(body) {
			return errSplit
		}
		switch body[i] {
		case closing:
			return end(body, i+1)
		case ',':
			i = space(body, i+1)
		default:
			return errSplit
		}
	}
}

// space is where space that begins at i ends.
func space(body []byte, i int) int {
	for i < len(body) && (body[i] == ' ' || body[i] == '\n' || body[i] == '\t' || body[i] == '\r') {
		i++
	}
	return i
}

// value is where a value that begins at i ends: at its own closing bracket or quote, or before what follows a number or
// a word.
func value(body []byte, i int) int {
	depth := 0
	for ; i < len(body); i++ {
		switch body[i] {
		case '"':
			for i++; i < len(body) && body[i] != '"'; i++ {
				if body[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return min(i+1, len(body))
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ':', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i
			}
		}
	}
	return len(body)
}

func end(body []byte, i int) error {
	if space(body, i) != len(body) {
		return errors.New("there is something after it")
	}
	return nil
}
