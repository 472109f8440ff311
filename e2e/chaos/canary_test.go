package main

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

func TestASecretIsSeenInEveryForm(t *testing.T) {
	for _, secret := range []string{canary("a").value(), `pass"wörd<&>\back`, "lines\nof a key\n"} {
		escaped, err := json.Marshal(map[string]string{"a": secret})
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{
			"token=" + secret + ";", string(escaped),
			base64.StdEncoding.EncodeToString([]byte(secret)),
			base64.StdEncoding.EncodeToString([]byte("u:" + secret)),
			base64.StdEncoding.EncodeToString([]byte("user:" + secret + "@host")),
			base64.StdEncoding.EncodeToString([]byte("bot:" + secret + " and more")),
		} {
			if shows([]byte(text), secret) == "" {
				t.Errorf("%q is not seen in %q; forms %q", secret, text, forms(secret))
			}
		}
		if form := shows([]byte("nothing "+strings.ToUpper(secret[:4])), secret); form != "" {
			t.Errorf("%q is seen where it is not, as %q", secret, form)
		}
	}
}
