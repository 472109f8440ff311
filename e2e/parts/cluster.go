package parts

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
)

// Cluster returns the path of mooring-e2e-cluster, the real Kubernetes cluster of e2e/cluster.
func Cluster(ctx context.Context, log io.Writer) (binary string, err error) {
	p, err := clusterPart()
	if err != nil {
		return "", err
	}
	dir, err := p.ensure(ctx, log)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, clusterBinary), nil
}

// Kubectl returns the path of kubectl of the cluster's version. It is the cluster's binary under another name.
func Kubectl(ctx context.Context, log io.Writer) (string, error) {
	binary, err := Cluster(ctx, log)
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(binary), kubectlBinary), nil
}

const (
	clusterBinary = "mooring-e2e-cluster"
	kubectlBinary = "kubectl" // a link to the former, which looks at the name it is called by
)

var kubernetesVersion = regexp.MustCompile(`(?m)^\s*k8s\.io/kubernetes (v(\d+)\.(\d+)\.\d+)$`)

func clusterPart() (part, error) {
	root, err := sourceRoot()
	if err != nil {
		return part{}, err
	}
	module := filepath.Join(root, "e2e", "cluster")
	goMod, err := os.ReadFile(filepath.Join(module, "go.mod"))
	if err != nil {
		return part{}, fmt.Errorf("read the cluster's module: %w", err)
	}
	version := kubernetesVersion.FindStringSubmatch(string(goMod))
	if version == nil {
		return part{}, fmt.Errorf("read the cluster's module: no version of k8s.io/kubernetes in %s", module)
	}
	sum, err := digest(module)
	if err != nil {
		return part{}, err
	}
	// Kubernetes asks its version package who it is; without these it says v0.0.0-master.
	const pkg = " -X k8s.io/component-base/version."
	ldflags := "-s -w" + pkg + "gitVersion=" + version[1] + pkg + "gitMajor=" + version[2] + pkg + "gitMinor=" + version[3] +
		pkg + "gitTreeState=clean"
	return part{
		name: "cluster", version: version[1] + "-" + sum,
		about: "the Kubernetes API server, which takes about five minutes the first time",
		build: func(ctx context.Context, log io.Writer, dir string) error {
			build := goBuild{dir: module, mod: "readonly", pkg: ".", output: filepath.Join(dir, clusterBinary), ldflags: ldflags}
			if err := build.run(ctx, log); err != nil {
				return err
			}
			return os.Symlink(clusterBinary, filepath.Join(dir, kubectlBinary))
		},
	}, nil
}

// foundCluster is Cluster without building.
func foundCluster() (string, error) {
	p, err := clusterPart()
	if err != nil {
		return "", err
	}
	return p.found(clusterBinary)()
}
