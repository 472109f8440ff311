package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// contextName names the cluster, the user and the context in the kubeconfig.
const contextName = "mooring-e2e"

// credentials are the paths of what the components read. All files are 0600.
type credentials struct {
	dir                string
	servingCert        string // leaf and CA
	servingKey         string
	ca                 string
	serviceAccountKey  string
	serviceAccountCert string // public key
	tokens             string // CSV of static tokens
	kubeconfig         string
}

// writeCredentials makes what is not there yet, so that a cluster that is started again keeps its keys, and writes the
// kubeconfig for url.
func writeCredentials(dir, url string) (credentials, error) {
	in := func(name string) string { return filepath.Join(dir, name) }
	c := credentials{
		dir: dir, servingCert: in("serving.crt"), servingKey: in("serving.key"), ca: in("ca.crt"),
		serviceAccountKey: in("service-account.key"), serviceAccountCert: in("service-account.pub"),
		tokens: in("tokens.csv"), kubeconfig: in("kubeconfig"),
	}
	for _, make := range []struct {
		file string
		make func(credentials) error
	}{{c.servingCert, makeServingCert}, {c.serviceAccountCert, makeServiceAccountKey}, {c.tokens, makeToken}} {
		if _, err := os.Stat(make.file); errors.Is(err, fs.ErrNotExist) {
			if err := make.make(c); err != nil {
				return c, fmt.Errorf("make %s: %w", make.file, err)
			}
		} else if err != nil {
			return c, fmt.Errorf("look for credentials: %w", err)
		}
	}
	return c, writeKubeconfig(c, url)
}

// makeServingCert makes a CA that signs one certificate for loopback and is then forgotten.
func makeServingCert(c credentials) error {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: contextName + " CA"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "kube-apiserver"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1)},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	caPEM := block("CERTIFICATE", caDER)
	return errors.Join(
		os.WriteFile(c.ca, caPEM, 0o600),
		os.WriteFile(c.servingKey, block("EC PRIVATE KEY", keyDER), 0o600),
		os.WriteFile(c.servingCert, append(block("CERTIFICATE", leafDER), caPEM...), 0o600),
	)
}

func makeServiceAccountKey(c credentials) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	publicDER, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(c.serviceAccountKey, block("EC PRIVATE KEY", keyDER), 0o600),
		os.WriteFile(c.serviceAccountCert, block("PUBLIC KEY", publicDER), 0o600),
	)
}

// makeToken makes the administrator's token.
func makeToken(c credentials) error {
	line := fmt.Sprintf("%s,mooring-e2e-admin,mooring-e2e-admin,\"system:masters\"\n", rand.Text())
	return os.WriteFile(c.tokens, []byte(line), 0o600)
}

func writeKubeconfig(c credentials, url string) error {
	line, err := os.ReadFile(c.tokens)
	if err != nil {
		return fmt.Errorf("read token: %w", err)
	}
	token, _, _ := strings.Cut(string(line), ",")
	ca, err := os.ReadFile(c.ca)
	if err != nil {
		return fmt.Errorf("read CA: %w", err)
	}
	config := api.NewConfig()
	config.Clusters[contextName] = &api.Cluster{Server: url, CertificateAuthorityData: ca}
	config.AuthInfos[contextName] = &api.AuthInfo{Token: token}
	config.Contexts[contextName] = &api.Context{Cluster: contextName, AuthInfo: contextName}
	config.CurrentContext = contextName
	if err := clientcmd.WriteToFile(*config, c.kubeconfig); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	return nil
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
