package terraform

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// releaseServer is a release server on loopback with a key of its own. Its "terraform" is a script that prints a version, so that the
// whole path is real but for the size of the product.
type releaseServer struct {
	*httptest.Server
	publicKey string
	archives  atomic.Int32 // archives downloaded
}

type damage struct{ archive, signature bool }

func newReleaseServer(t *testing.T, harm damage, versions ...string) *releaseServer {
	t.Helper()
	key, publicKey := newKey(t)
	signer := key
	if harm.signature {
		signer, _ = newKey(t)
	}
	server := &releaseServer{publicKey: publicKey}
	files := map[string][]byte{}
	index := map[string]any{}
	for _, version := range versions {
		base := "terraform_" + version
		archive := base + "_" + runtime.GOOS + "_" + runtime.GOARCH + ".zip"
		packed := zipScript(t, version)
		sums := fmt.Sprintf("%x  %s\n", sha256.Sum256(packed), archive)
		var signature bytes.Buffer
		if err := openpgp.DetachSign(&signature, signer, strings.NewReader(sums), nil); err != nil {
			t.Fatal(err)
		}
		if harm.archive {
			packed = append(bytes.Clone(packed), '!')
		}
		dir := "/terraform/" + version + "/"
		entry := map[string]any{
			"name": "terraform", "version": version, "shasums": base + "_SHA256SUMS", "shasums_signature": base + "_SHA256SUMS.sig",
			"builds": []any{map[string]any{
				"name": "terraform", "version": version, "os": runtime.GOOS, "arch": runtime.GOARCH, "filename": archive, "url": server.url(dir + archive),
			}},
		}
		index[version] = entry
		files[dir+"index.json"] = mustJSON(t, entry)
		files[dir+archive] = packed
		files[dir+base+"_SHA256SUMS"] = []byte(sums)
		files[dir+base+"_SHA256SUMS.sig"] = signature.Bytes()
	}
	files["/terraform/index.json"] = mustJSON(t, map[string]any{"name": "terraform", "versions": index})
	server.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		switch {
		case strings.HasSuffix(r.URL.Path, ".json"):
			w.Header().Set("Content-Type", "application/json")
		case strings.HasSuffix(r.URL.Path, ".zip"):
			server.archives.Add(1)
			w.Header().Set("Content-Type", "application/zip")
		}
		w.Write(data)
	}))
	t.Cleanup(server.Close)
	return server
}

// url is what the official index says; hc-install keeps the path and takes the host of ApiBaseURL.
func (*releaseServer) url(path string) string { return "https://releases.hashicorp.com" + path }

func newKey(t *testing.T) (*openpgp.Entity, string) {
	t.Helper()
	entity, err := openpgp.NewEntity("Test", "", "test@example.com", &packet.Config{RSABits: 2048})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	w, err := armor.Encode(&text, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := entity.Serialize(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return entity, text.String()
}

func script(version string) string {
	return fmt.Sprintf("#!/bin/sh\nprintf '{\"terraform_version\":\"%s\"}\\n'\n", version)
}

func zipScript(t *testing.T, version string) []byte {
	t.Helper()
	var packed bytes.Buffer
	archive := zip.NewWriter(&packed)
	for name, text := range map[string]string{"terraform": script(version), "LICENSE.txt": "free"} {
		w, err := archive.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func mustJSON(t *testing.T, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
