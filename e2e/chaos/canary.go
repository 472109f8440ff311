package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// canary is a secret that may be found nowhere. Terraform computes it from a text that is no secret, so that it does not
// stand in the repository either.
type canary string

func (c canary) hcl() string { return fmt.Sprintf("sha256(%q)", string(c)) }

// value is the secret.
func (c canary) value() string {
	sum := sha256.Sum256([]byte(c))
	return hex.EncodeToString(sum[:])
}

// forms are the ways in which the secret may show. Base64 has three, by where in a longer text it begins.
func forms(secret string) []string {
	all := []string{secret}
	for shift := range 3 {
		padded := append(bytes.Repeat([]byte{'x'}, shift), secret...)
		text := base64.StdEncoding.EncodeToString(padded)
		// The first characters hold bits of what is before it, the last of what is after.
		all = append(all, strings.TrimRight(text, "=")[(shift*8+5)/6:len(strings.TrimRight(text, "="))-1])
	}
	if escaped, err := json.Marshal(secret); err == nil && string(escaped) != `"`+secret+`"` {
		all = append(all, strings.Trim(string(escaped), `"`))
	}
	return all
}

// shows tells in which form a secret stands in a text; "" for none.
func shows(text []byte, secret string) string {
	for _, f := range forms(secret) {
		if bytes.Contains(text, []byte(f)) {
			return f
		}
	}
	return ""
}

// files lists the regular files below a directory for which want is true.
func (w *world) files(dir string, want func(path string) bool) []string {
	var all []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // removed meanwhile
		}
		if err == nil && e.Type().IsRegular() && want(path) {
			all = append(all, path)
		}
		return err
	})
	w.must(err, "look through "+dir)
	return all
}

// clearText ends the round when a file of the data directory shows a secret.
func (w *world) clearText(what string, secrets ...canary) {
	for _, f := range w.files(w.data, func(string) bool { return true }) {
		text := []byte(w.read(f))
		for _, c := range secrets {
			if form := shows(text, c.value()); form != "" {
				w.failf("%s lies in clear in %s", what, f)
			}
		}
	}
}
