package forge

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
)

// signedGitea is true of a body whose HMAC-SHA256 X-Gitea-Signature is, in hex.
// Forgejo sends the same header.
func signedGitea(secret string, h http.Header, body []byte) bool {
	return isHex(h.Get("X-Gitea-Signature"), mac([]byte(secret), body))
}

// signedGitHub wants X-Hub-Signature-256. The older X-Hub-Signature is SHA-1, which
// is sent beside it and counts for nothing.
func signedGitHub(secret string, h http.Header, body []byte) bool {
	signature, ok := strings.CutPrefix(h.Get("X-Hub-Signature-256"), "sha256=")
	return ok && isHex(signature, mac([]byte(secret), body))
}

// signedGitLab knows GitLab's two ways. A signing token, whsec_ and a key in base64,
// signs "id.timestamp.body" by the Standard Webhooks specification. A secret token,
// which is older, signs nothing: GitLab sends it along.
func signedGitLab(secret string, h http.Header, body []byte) bool {
	encoded, isKey := strings.CutPrefix(secret, "whsec_")
	if signatures := h.Get("Webhook-Signature"); isKey && signatures != "" {
		key, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(key) == 0 {
			return false
		}
		want := mac(key, []byte(h.Get("Webhook-Id")+"."+h.Get("Webhook-Timestamp")+"."), body)
		ok := false
		for _, s := range strings.Fields(signatures) { // several while a token is replaced
			s, v1 := strings.CutPrefix(s, "v1,")
			got, err := base64.StdEncoding.DecodeString(s)
			if v1 && err == nil && hmac.Equal(got, want) {
				ok = true
			}
		}
		return ok
	}
	// Digests, so that not even the length shows in how long it takes.
	got, want := sha256.Sum256([]byte(h.Get("X-Gitlab-Token"))), sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

func mac(key []byte, parts ...[]byte) []byte {
	m := hmac.New(sha256.New, key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}

func isHex(said string, want []byte) bool {
	got, err := hex.DecodeString(said)
	return err == nil && hmac.Equal(got, want)
}
