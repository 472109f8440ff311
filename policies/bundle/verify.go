package bundle

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"golang.org/x/tools/txtar"
)

// maxInflated bounds what comes out of a bundle when it is unpacked.
const maxInflated = 128 << 20

// keyID is what every key is called: which one signed is found by trying, not by what the bundle says.
const keyID = "configured"

// keys reads the public keys.
func (s Source) keys() ([]*bundle.KeyConfig, error) {
	if len(s.PublicKeys) == 0 {
		return nil, errors.New("no public key is configured")
	}
	var all []*bundle.KeyConfig
	for i, text := range s.PublicKeys {
		algorithm, err := algorithmOf(text)
		if err != nil {
			return nil, fmt.Errorf("public key %d: %w", i+1, err)
		}
		if s.Algorithm != "" {
			if strings.HasPrefix(s.Algorithm, "HS") {
				return nil, fmt.Errorf("algorithm %s has no public key", s.Algorithm)
			}
			algorithm = s.Algorithm
		}
		all = append(all, &bundle.KeyConfig{Key: text, Algorithm: algorithm, Scope: s.Scope})
	}
	return all, nil
}

// algorithmOf is the usual algorithm of a key. Only public keys are taken: where a private one lies beside a policy,
// something is wrong.
func algorithmOf(text string) (string, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return "", errors.New("it is not in PEM form")
	}
	var key any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	default:
		return "", fmt.Errorf("it is a %s, not a public key", block.Type)
	}
	if err != nil {
		return "", err
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.Size() < 256 {
			return "", fmt.Errorf("it has %d bits, and needs 2048", k.Size()*8)
		}
		return "RS256", nil
	case *ecdsa.PublicKey:
		switch k.Curve.Params().BitSize {
		case 256:
			return "ES256", nil
		case 384:
			return "ES384", nil
		case 521:
			return "ES512", nil
		}
	}
	return "", errors.New("use an RSA key, or an ECDSA key of P-256, P-384 or P-521")
}

// open checks and unpacks a bundle.
func (s Source) open(body []byte, keys []*bundle.KeyConfig) (Bundle, error) {
	if err := inflates(body); err != nil {
		return Bundle{}, err
	}
	var why error
	for _, key := range keys {
		read, err := s.read(body, key)
		if err == nil {
			return filesOf(read)
		}
		why = err
	}
	return Bundle{}, fmt.Errorf("%w: %w", ErrUnsigned, why)
}

func (s Source) read(body []byte, key *bundle.KeyConfig) (bundle.Bundle, error) {
	config := bundle.NewVerificationConfig(map[string]*bundle.KeyConfig{keyID: key}, keyID, s.Scope, nil)
	version := ast.RegoV1
	if s.V0 {
		version = ast.RegoV0
	}
	return bundle.NewReader(bytes.NewReader(body)).
		WithBundleVerificationConfig(config).
		WithSizeLimitBytes(maxInflated).
		WithRegoVersion(version).
		WithProcessAnnotations(true).
		Read()
}

// inflates refuses what is small on the way and large after it.
func inflates(body []byte) error {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("it is not a bundle: %w", err)
	}
	n, err := io.Copy(io.Discard, io.LimitReader(z, maxInflated+1))
	if err != nil {
		return fmt.Errorf("it is not a bundle: %w", err)
	}
	if n > maxInflated {
		return fmt.Errorf("it unpacks to more than %d MiB", maxInflated>>20)
	}
	return nil
}

// filesOf are the policies of a bundle and its data. OPA puts the data of a file below its directory; that has been
// done, so one file has it all.
func filesOf(b bundle.Bundle) (Bundle, error) {
	if len(b.WasmModules)+len(b.PlanModules) > 0 {
		return Bundle{}, errors.New("it has compiled policies, which would not be asked: build it with the target rego")
	}
	data, err := json.Marshal(b.Data)
	if err != nil {
		return Bundle{}, err
	}
	archive := &txtar.Archive{Files: []txtar.File{{Name: "data.json", Data: data}}}
	for _, m := range b.Modules {
		archive.Files = append(archive.Files, txtar.File{Name: strings.TrimPrefix(m.Path, "/"), Data: m.Raw})
	}
	files, err := txtar.FS(archive)
	if err != nil {
		return Bundle{}, err
	}
	if len(b.Signatures.Signatures) != 1 { // the reader checks one, and takes no more
		return Bundle{}, ErrUnsigned
	}
	about, err := signedBy(b.Signatures.Signatures[0])
	if err != nil {
		return Bundle{}, err
	}
	return Bundle{Files: files, Revision: b.Manifest.Revision, signed: about}, nil
}
