package k8s

import (
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeKeyService stands for `sops keyservice`, which cannot run here: it answers one request with one message
// and an outcome, and keeps what it was asked.
func fakeKeyService(t *testing.T, message []byte, status, said string) (socket string, asked *[]byte) {
	t.Helper()
	dir, err := os.MkdirTemp("", "ks") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket, asked = filepath.Join(dir, "s"), new([]byte)
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var plain http.Protocols
	plain.SetUnencryptedHTTP2(true)
	s := &http.Server{Protocols: &plain, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.ProtoMajor != 2 || r.URL.Path != "/KeyService/Decrypt" || len(body) < 5 || int(binary.BigEndian.Uint32(body[1:5])) != len(body)-5 {
			t.Errorf("asked %s %s with % x", r.Proto, r.URL.Path, body)
		}
		*asked = body[5:]
		w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
		w.Header().Set("Content-Type", "application/grpc")
		if message != nil {
			_, _ = w.Write(append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...))
		}
		w.Header().Set("Grpc-Status", status)
		w.Header().Set("Grpc-Message", said)
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return socket, asked
}

func TestKeyService(t *testing.T) {
	file := sopsKeys{
		KMS:   []sopsMaster{{ARN: "arn:aws:kms:eu-west-1:1:key/a", Enc: "AQ==", Role: "r", Context: map[string]*string{"k": new("v")}}},
		Vault: []sopsMaster{{Address: "https://evil.example.com", Engine: "sops", KeyName: "k", Enc: "x"}},
	}
	key := strings.Repeat("k", 32)
	socket, asked := fakeKeyService(t, append([]byte{0x0a, 32}, key...), "0", "")
	keys, err := ReadKeys(KeyConfig{KeyService: socket, Keys: []string{"arn:aws:kms:eu-west-1:1:key/a"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := keys.open(file)
	if err != nil || string(got) != key {
		t.Fatalf("key = %q, %v", got, err)
	}
	// What protoc makes of key { kms_key { arn, role, context { k: v } } } ciphertext.
	want := "0a2c" + "0a2a" + "0a1d" + hex.EncodeToString([]byte("arn:aws:kms:eu-west-1:1:key/a")) + "1201" + "72" + "1a06" + "0a016b" + "120176" + "1204" + hex.EncodeToString([]byte("AQ=="))
	if hex.EncodeToString(*asked) != want {
		t.Errorf("asked %x, want %s", *asked, want)
	}

	*asked = nil
	stranger := sopsKeys{Vault: file.Vault}
	if _, err := keys.open(stranger); err == nil || !strings.Contains(err.Error(), "none of these is configured") || *asked != nil {
		t.Errorf("a key that the operator does not list was asked for: %v, % x", err, *asked)
	}
	socket, _ = fakeKeyService(t, nil, "2", "AccessDenied%3A no such key")
	keys, _ = ReadKeys(KeyConfig{KeyService: socket, Keys: []string{"arn:aws:kms:eu-west-1:1:key/a"}})
	if _, err := keys.open(file); err == nil || err.Error() != `arn:aws:kms:eu-west-1:1:key/a: the key service refuses: AccessDenied: no such key (status "2")` {
		t.Errorf("error = %v", err)
	}
	keys, _ = ReadKeys(KeyConfig{KeyService: "/nowhere/socket", Keys: []string{"arn:aws:kms:eu-west-1:1:key/a"}})
	if _, err := keys.open(file); err == nil || !strings.Contains(err.Error(), "ask the key service at /nowhere/socket: dial unix") {
		t.Errorf("error = %v", err)
	}
}
