package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// objectsAFile keeps files at a size that people write.
const objectsAFile = 30

// manifests is a checkout with one manifest set of ConfigMaps, Services and Deployments. The Deployments are at zero
// replicas: what is measured is what an applier asks of the server.
type manifests struct {
	root    string // the checkout
	objects int
}

// path is the set's directory within the checkout.
const manifestPath = "k8s"

func (m manifests) dir() string { return filepath.Join(m.root, manifestPath) }

// write makes the files; changed is the value of one field of the first object.
func (m manifests) write(changed string) error {
	if err := os.MkdirAll(m.dir(), 0o755); err != nil {
		return err
	}
	for first := 0; first < m.objects; first += objectsAFile {
		var text strings.Builder
		for i := first; i < min(first+objectsAFile, m.objects); i++ {
			text.WriteString("---\n" + manifest(i, changed))
		}
		if err := os.WriteFile(filepath.Join(m.dir(), fmt.Sprintf("%05d.yaml", first)), []byte(text.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func manifest(i int, changed string) string {
	name := fmt.Sprintf("object-%05d", i)
	switch i % 3 {
	case 0:
		v := "steady"
		if i == 0 {
			v = changed
		}
		return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\ndata:\n  key: %s\n", name, v)
	case 1:
		return fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata:\n  name: %s\nspec:\n  selector:\n    app: %s\n  ports:\n  - port: 80\n", name, name)
	}
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: %[1]s
spec:
  replicas: 0
  selector:
    matchLabels:
      app: %[1]s
  template:
    metadata:
      labels:
        app: %[1]s
    spec:
      containers:
      - name: main
        image: example.com/app:1
        ports:
        - containerPort: 8080
`, name)
}
