package k8s

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	encodingpem "encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func mustUnmarshal(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

// tokenKubeconfig reaches the same server with a token.
func tokenKubeconfig(c *Cluster, token string) []byte {
	ca := c.config.CAData
	if len(ca) == 0 {
		ca, _ = os.ReadFile(c.config.CAFile)
	}
	return []byte(fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],
clusters: [{name: c, cluster: {server: %q, certificate-authority-data: %s}}], users: [{name: u, user: {token: %q}}]}`,
		c.config.Host, base64.StdEncoding.EncodeToString(ca), token))
}

func jwt(exp time.Time) string {
	claims := base64.RawURLEncoding.EncodeToString([]byte(fmt.Sprintf(`{"sub":"system:serviceaccount:ci:mooring","exp":%d}`, exp.Unix())))
	return "eyJhbGciOiJub25lIn0." + claims + ".topsecret"
}

// keyPair is a client certificate that ends at the time given.
func keyPair(t *testing.T, end time.Time) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "admin"}, NotBefore: end.Add(-time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return encodingpem.EncodeToMemory(&encodingpem.Block{Type: "CERTIFICATE", Bytes: der}),
		encodingpem.EncodeToMemory(&encodingpem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

func TestExpiredCredentials(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, name)
	}
	inline := func(end time.Time) string {
		cert, key := keyPair(t, end)
		b64 := base64.StdEncoding.EncodeToString
		return fmt.Sprintf("client-certificate-data: %s, client-key-data: %s", b64(cert), b64(key))
	}
	cert, key := keyPair(t, noon.Add(-time.Hour))
	write("old.crt", cert)
	write("old.key", key)
	write("token", []byte(jwt(noon.Add(-time.Minute))+"\n"))
	for _, tt := range []struct{ name, user, want string }{
		{"certificate", inline(noon.Add(-24 * time.Hour)), "the client certificate of CN=admin in kubeconfig PATH expired on 2026-11-25 at 12:00:00 UTC"},
		{"certificate in a file", "client-certificate: old.crt, client-key: old.key", "the client certificate of CN=admin in kubeconfig PATH expired on 2026-11-26 at 11:00:00 UTC"},
		{"token", "token: " + jwt(noon.Add(-time.Second)), "the token of system:serviceaccount:ci:mooring in kubeconfig PATH expired on 2026-11-26 at 11:59:59 UTC"},
		{"token in a file", "tokenFile: token", "the token of system:serviceaccount:ci:mooring in kubeconfig PATH expired on 2026-11-26 at 11:59:00 UTC"},
		{"certificate that is valid", inline(noon.Add(time.Hour)), ""},
		{"token that is valid", "token: " + jwt(noon.Add(time.Hour)), ""},
		{"token that does not tell", "token: abc.def.ghi", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write("kubeconfig", kubeconfig("", tt.user))
			c, err := Connect(ClusterConfig{Name: "prod", KubeconfigPath: path})
			if err != nil {
				t.Fatal(err)
			}
			err = c.CheckCredentials(noon)
			if tt.want == "" {
				if err != nil {
					t.Errorf("error = %v", err)
				}
				return
			}
			want := "cluster prod: " + strings.ReplaceAll(tt.want, "PATH", path)
			if !errors.Is(err, ErrExpired) || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "topsecret") {
				t.Errorf("error = %v, want %s", err, want)
			}
		})
	}
}
