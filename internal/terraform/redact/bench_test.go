package redact

import (
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"testing"
)

// terraformLike is n bytes of what Terraform writes, with some of the secrets in it.
func terraformLike(n int, secrets []string) []byte {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "terraform_data.server[%d]: Creation complete after %ds [id=%x]\n", i, i%60, sha256.Sum256([]byte{byte(i)}))
		if i%100 == 0 {
			fmt.Fprintf(&b, "      + password = %q -> (known after apply)\n", secrets[i/100%len(secrets)])
		}
	}
	return []byte(b.String()[:n])
}

func manySecrets(n int) []string {
	var secrets []string
	for i := range n {
		secrets = append(secrets, fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, "secret", i)))[:20+i%21])
	}
	return secrets
}

// BenchmarkWriter: 10 MB through a writer that knows 500 secrets.
func BenchmarkWriter(b *testing.B) {
	secrets := manySecrets(500)
	keys := []string{}
	for i := range 20 {
		keys = append(keys, strings.ReplaceAll(strings.Repeat(pem, 8), "M", fmt.Sprint(i)))
	}
	for name, tc := range map[string]struct {
		secrets []string
		text    []byte
	}{
		"500 secrets":       {secrets, terraformLike(10<<20, secrets)},
		"500 and 20 keys":   {append(keys, secrets...), terraformLike(10<<20, secrets)},
		"the worst of text": {[]string{strings.Repeat("a", 4000) + "b", "aaab"}, []byte(strings.Repeat("a", 10<<20))},
		"nothing to hide":   {nil, terraformLike(10<<20, secrets)},
	} {
		b.Run(name, func(b *testing.B) {
			r := New(tc.secrets...)
			r.current()
			b.SetBytes(int64(len(tc.text)))
			for b.Loop() {
				w := r.Writer(io.Discard)
				for text := tc.text; len(text) > 0; { // a line or so a write
					n := min(len(text), 120)
					if _, err := w.Write(text[:n]); err != nil {
						b.Fatal(err)
					}
					text = text[n:]
				}
				if err := w.Flush(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBuild is what a change of the secrets costs.
func BenchmarkBuild(b *testing.B) {
	for name, secrets := range map[string][]string{
		"1 secret": manySecrets(1), "500 secrets": manySecrets(500), "1 of 1 MB": {string(terraformLike(1<<20, []string{"x"}))},
		"1 key of 2 kB": {strings.Repeat(pem, 9)},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m := New(secrets...).current()
				b.ReportMetric(float64(len(m.label)), "nodes")
			}
		})
	}
}
