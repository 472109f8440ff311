package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/e2e/parts"
	"github.com/mooring-iac/mooring/internal/build"
)

// namespace is what the tour's manifests use; see examples/tour/k8s.
const namespace = "mooring-tour"

// stage is all that the demo stands on. Methods end the demo by a panic with a failure, as those of a test would.
type stage struct {
	ctx      context.Context
	out      io.Writer
	dir      string // everything is below it, and goes with it
	settings settings

	mooring   string // the binary
	terraform string // directory of the one to put on PATH; "" leaves it to Mooring
	config    string // server.hcl
	server    *server
	person    *person
	cluster   *parts.RunningCluster // nil with a cluster of the person's own
	objects   *objects
	remote    string // URL of the Git repository
	forge     *forge // with -reviews and -drift

	clusterText string // of server.hcl

	cleanups []func() error
}

// failure is what went wrong, on its way up.
type failure struct{ error }

func (st *stage) fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

func (st *stage) must(err error, doing string) {
	if err != nil {
		st.fail("%s: %w", doing, err)
	}
}

// These make a stage what githttp needs of a test.

func (st *stage) Helper()                           {}
func (st *stage) Fatalf(format string, args ...any) { st.fail(format, args...) }
func (st *stage) Context() context.Context          { return st.ctx }
func (st *stage) Cleanup(f func())                  { st.later(func() error { f(); return nil }) }

func (st *stage) TempDir() string {
	dir, err := os.MkdirTemp(st.dir, "tmp-")
	st.must(err, "make a directory")
	return dir
}

// later registers what has to be undone; the last is undone first.
func (st *stage) later(f func() error) { st.cleanups = append(st.cleanups, f) }

// clear undoes everything and removes the directory.
func (st *stage) clear() error {
	var errs []error
	for i := len(st.cleanups) - 1; i >= 0; i-- {
		errs = append(errs, st.cleanups[i]())
	}
	st.cleanups = nil
	return errors.Join(append(errs, os.RemoveAll(st.dir))...)
}

// prepare builds and starts what the story needs, up to but without the server.
func (st *stage) prepare() {
	root, err := moduleRoot(st.ctx)
	st.must(err, "find the source tree")
	st.say("Preparing the stage in %s.", st.dir)
	st.build()
	st.findTerraform()
	st.must(os.Mkdir(filepath.Join(st.dir, "home"), 0o700), "make a home")

	kubeconfig, clusterContext := st.prepareCluster()
	files, err := readTree(filepath.Join(root, "examples", "tour"))
	st.must(err, "read the example")
	served := filepath.Join(st.dir, "remote")
	githttp.NewRepo(st, filepath.Join(served, "tour.git"), files)
	git := githttp.New(st, served)
	st.remote = git.RepositoryURL("tour.git")
	st.say("Git remote: %s, made from examples/tour.", st.remote)

	st.config = filepath.Join(st.dir, "server.hcl")
	st.must(os.WriteFile(st.config, []byte(st.serverConfig(kubeconfig, clusterContext)), 0o600), "write server.hcl")
	st.person = &person{stage: st, dir: filepath.Join(st.dir, "clone")}
}

func (st *stage) prepareCluster() (kubeconfig, clusterContext string) {
	kubeconfig, clusterContext = st.startCluster()
	var err error
	st.objects, err = newObjects(kubeconfig, clusterContext)
	st.must(err, "read the kubeconfig")
	st.claimNamespace()
	return kubeconfig, clusterContext
}

func (st *stage) build() {
	if st.settings.mooring != "" {
		abs, err := filepath.Abs(st.settings.mooring)
		st.must(err, "find the binary")
		st.mooring = abs
		return
	}
	st.say("Building Mooring …")
	st.mooring = filepath.Join(st.dir, "bin", "mooring")
	st.must(build.Mooring(st.ctx, build.Static, st.mooring), "build Mooring")
}

// findTerraform says where Terraform will come from. Mooring finds or installs it by itself; only where it could do
// neither does the demo help.
func (st *stage) findTerraform() {
	if path, err := exec.LookPath("terraform"); err == nil {
		st.say("Terraform: %s.", path)
		return
	}
	if reachable(st.ctx, releases) {
		st.say("Terraform is not on PATH: Mooring will install one into its data directory from %s,\n"+
			"with checksum and signature verified.", releases)
		return
	}
	st.say("Terraform is not on PATH, and %s, from where Mooring would install it, cannot be reached.\n"+
		"The demo builds it from its Go module instead, which takes minutes the first time.", releases)
	path, err := parts.Terraform(st.ctx, indented{st.out})
	st.must(err, "build Terraform")
	st.terraform = filepath.Dir(path)
}

const releases = "https://releases.hashicorp.com"

func reachable(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return true
}

// startCluster returns a kubeconfig and the context in it.
func (st *stage) startCluster() (kubeconfig, clusterContext string) {
	if st.settings.context != "" {
		kubeconfig = filepath.Join(st.dir, "kubeconfig")
		st.must(personalKubeconfig(st.settings.context, kubeconfig), "use your context "+st.settings.context)
		st.say("Kubernetes: the context %s of your own kubeconfig. The demo makes the namespace %s there and removes it at the end.", st.settings.context, namespace)
		return kubeconfig, st.settings.context
	}
	st.say("Kubernetes: a real API server, controllers and simulated nodes in one process. The first time, it is built from\n" +
		"Go modules, which takes minutes; then it is kept in the cache directory.")
	begin := time.Now()
	c, err := parts.StartCluster(st.ctx, filepath.Join(st.dir, "cluster"), parts.ClusterOptions{Log: indented{st.out}})
	st.must(err, "start the cluster")
	st.cluster = c
	st.later(func() error { c.Stop(); return nil })
	st.say("It answers at %s, %.1f s after we asked. Your own KUBECONFIG is not read.", c.URL, time.Since(begin).Seconds())
	return c.Kubeconfig, ""
}

func (st *stage) clusterEnded() <-chan struct{} {
	if st.cluster == nil {
		return nil
	}
	return st.cluster.Ended()
}

func (st *stage) serverConfig(kubeconfig, clusterContext string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "data_dir = %q\nlisten   = \"127.0.0.1:0\"\n\n", filepath.Join(st.dir, "data"))
	fmt.Fprintf(&b, "repository \"tour\" {\n  url  = %q\n  poll = \"500ms\"\n}\n\n", st.remote)
	return b.String() + clusterBlock(kubeconfig, clusterContext)
}

func clusterBlock(kubeconfig, clusterContext string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "cluster \"demo\" {\n  kubeconfig = %q\n", kubeconfig)
	if clusterContext != "" {
		fmt.Fprintf(&b, "  context    = %q\n  allow_exec = true # how many people's kubeconfig gets its token\n", clusterContext)
	}
	return b.String() + "  default    = true\n}\n"
}

// moduleRoot is the directory of the source tree the demo is run in.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	mod := strings.TrimSpace(string(out))
	root := filepath.Dir(mod)
	if _, err := os.Stat(filepath.Join(root, "examples", "tour", "mooring.hcl")); mod == "" || err != nil {
		return "", errors.New("run it inside Mooring's source tree")
	}
	return root, nil
}

// readTree returns the files below dir, by slash path.
func readTree(dir string) (map[string]string, error) {
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && e.Name() == ".terraform" {
			return fs.SkipDir
		}
		if e.IsDir() || strings.Contains(name, ".tfstate") {
			return nil
		}
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		files[name] = string(b)
		return err
	})
	return files, err
}
