package mirror_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/workspace/mirror"
	"golang.org/x/sys/unix"
)

// manyModules is a repository of dirs root modules with three files each.
func manyModules(dirs int) map[string]string {
	files := map[string]string{}
	for i := range dirs {
		dir := fmt.Sprintf("stacks/team-%02d/service-%04d/", i%50, i)
		files[dir+"main.tf"] = fmt.Sprintf("module \"net\" {\n  source = \"../../../modules/m%03d\"\n  name   = \"service-%04d\"\n}\n%s", i%200, i,
			strings.Repeat("# a line of text that repeats in every module\n", 8))
		files[dir+"variables.tf"] = fmt.Sprintf("variable \"name\" {\n  default = \"v%d\"\n}\n", i)
		files[dir+"outputs.tf"] = "output \"id\" {\n  value = module.net.id\n}\n"
	}
	return files
}

// bench makes a bare repository outside of any test's clock.
func bench(b *testing.B, files map[string]string) *githttp.Repo {
	b.Helper()
	return githttp.NewRepo(b, filepath.Join(b.TempDir(), "infra.git"), files)
}

// cpu is the processor time, user and system, of this process.
func cpu(b testing.TB) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPoll: nothing new on a remote with 100 refs; the bar is 20 ms of
// processor time. cpu-ms/op counts the mirror alone for a path; for http and ssh
// the Go side of the test server is in it.
func BenchmarkPoll(b *testing.B) {
	repo := bench(b, map[string]string{"main.tf": "# one\n"})
	for i := range 100 {
		repo.SetRef(fmt.Sprintf("refs/heads/branch-%03d", i), repo.Head("main"))
	}
	server := githttp.New(b, filepath.Dir(repo.Dir))
	for name, remote := range map[string]mirror.Remote{
		"path": {URL: repo.Dir},
		"http": {URL: server.RepositoryURL("infra.git")},
		"ssh":  serveSSH(b).remote(b, repo.Dir),
	} {
		b.Run(name, func(b *testing.B) {
			m, err := mirror.Open(b.TempDir(), remote)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = m.Close() }()
			start := cpu(b)
			for b.Loop() {
				if _, err := m.Poll(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpu(b)-start).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// BenchmarkNextTree: the listing of a commit that changes one file of 15,000,
// in a process that knows the commit before.
func BenchmarkNextTree(b *testing.B) {
	repo := bench(b, manyModules(5000))
	m, err := mirror.Open(b.TempDir(), mirror.Remote{URL: repo.Dir})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	commits := []string{repo.Head("main")}
	for i := range 4 {
		commits = append(commits, repo.Write("one", map[string]string{"stacks/team-07/service-0007/main.tf": fmt.Sprintf("# %d\n", i)}))
	}
	for _, c := range commits {
		if err := m.Fetch(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := m.Tree(commits[0]); err != nil {
		b.Fatal(err)
	}
	files := 0
	for b.Loop() {
		for _, c := range commits[1:] {
			tree, err := m.Tree(c)
			if err != nil {
				b.Fatal(err)
			}
			files = 0
			_ = tree.Walk(func(string, fs.FileMode, string) error { files++; return nil })
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N*4), "ms/tree")
	b.ReportMetric(float64(files), "files")
}

// BenchmarkReadAll reads each of 15,000 files once, as discovery does when cold.
func BenchmarkReadAll(b *testing.B) {
	repo := bench(b, manyModules(5000))
	repo.Git("repack", "-adfq", "--depth=50", "--window=50")
	server := githttp.New(b, filepath.Dir(repo.Dir))
	m, err := mirror.Open(b.TempDir(), mirror.Remote{URL: server.RepositoryURL("infra.git")})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	begin := time.Now()
	if err := m.Fetch(b.Context(), repo.Head("main")); err != nil {
		b.Fatal(err)
	}
	b.Logf("first fetch: %v", time.Since(begin))
	dir, commit := b.TempDir(), repo.Head("main")
	_ = m.Close()
	if m, err = mirror.Open(dir, mirror.Remote{URL: repo.Dir}); err != nil {
		b.Fatal(err)
	}
	if err := m.Fetch(b.Context(), commit); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		_ = m.Close() // drops every cache
		if m, err = mirror.Open(dir, mirror.Remote{URL: repo.Dir}); err != nil {
			b.Fatal(err)
		}
		tree, err := m.Tree(commit)
		if err != nil {
			b.Fatal(err)
		}
		if err := tree.Walk(func(path string, _ fs.FileMode, _ string) error {
			_, err := tree.ReadFile(path)
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCheckout makes and removes a checkout of 10,000 files.
func BenchmarkCheckout(b *testing.B) {
	repo := bench(b, manyModules(3334))
	m, err := mirror.Open(b.TempDir(), mirror.Remote{URL: repo.Dir})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	if err := m.Fetch(b.Context(), repo.Head("main")); err != nil {
		b.Fatal(err)
	}
	var made, removed time.Duration
	for b.Loop() {
		start := time.Now()
		c, err := m.Checkout(b.Context(), repo.Head("main"))
		if err != nil {
			b.Fatal(err)
		}
		made += time.Since(start)
		start = time.Now()
		if err := c.Release(); err != nil {
			b.Fatal(err)
		}
		removed += time.Since(start)
		if _, err := os.Stat(c.Dir); err == nil {
			b.Fatal("still there")
		}
	}
	b.ReportMetric(float64(made.Milliseconds())/float64(b.N), "ms/checkout")
	b.ReportMetric(float64(removed.Milliseconds())/float64(b.N), "ms/release")
}
