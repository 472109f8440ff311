package terraform

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/mooring-iac/mooring/e2e/parts"
	"golang.org/x/sys/unix"
)

// The same fifty workspaces, two at a time: through a Session, and by the bare four commands.

const benchWorkspaces = 50

func benchFiles() map[string]string {
	files := map[string]string{}
	for i := range benchWorkspaces {
		files[fmt.Sprintf("w%02d/main.tf", i)] = fmt.Sprintf("resource \"terraform_data\" \"a\" { input = %d }\noutput \"a\" { value = terraform_data.a.output }\n", i)
	}
	return files
}

func twoAtATime(n int, do func(int)) {
	work := make(chan int)
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for i := range work {
				do(i)
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	all.Wait()
}

// cpuTime is what this process and its ended children have used, in seconds: figures that neighbours on the machine blur less than the
// time on the wall.
func cpuTime(b *testing.B) (seconds [2]float64) {
	for i, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var usage unix.Rusage
		if err := unix.Getrusage(who, &usage); err != nil {
			b.Fatal(err)
		}
		seconds[i] = float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
	}
	return seconds
}

func reportCPU(b *testing.B, before [2]float64) {
	now := cpuTime(b)
	b.ReportMetric((now[0]-before[0])/float64(b.N), "own-cpu-s/op")
	b.ReportMetric((now[1]-before[1])/float64(b.N), "child-cpu-s/op")
}

func BenchmarkFifty(b *testing.B) {
	b.Run("mooring", func(b *testing.B) {
		defer reportCPU(b, cpuTime(b))
		for range b.N {
			b.StopTimer()
			r := newRepo(b, benchFiles())
			b.StartTimer()
			twoAtATime(benchWorkspaces, func(i int) { runSession(b, r, fmt.Sprintf("w%02d", i)) })
		}
	})
	b.Run("bare", func(b *testing.B) {
		defer reportCPU(b, cpuTime(b))
		for range b.N {
			b.StopTimer()
			r := newRepo(b, benchFiles())
			b.StartTimer()
			twoAtATime(benchWorkspaces, func(i int) { runBare(b, r, fmt.Sprintf("w%02d", i), os.DevNull) })
		}
	})
}

// Five workspaces with three providers each change: Mooring has run them before, the bare commands have a fresh clone.
func BenchmarkSecondCommitWithProviders(b *testing.B) {
	cli := filepath.Join(b.TempDir(), "cli.tfrc")
	if err := parts.WriteCLIConfig(cli, parts.ProvidersForTest(b)); err != nil {
		b.Fatal(err)
	}
	const five = 5
	files := func(content int) map[string]string {
		files := map[string]string{}
		for i := range five {
			files[fmt.Sprintf("w%02d/main.tf", i)] = fmt.Sprintf("resource \"null_resource\" \"a\" { triggers = { n = %d } }\nresource \"random_id\" \"b\" { byte_length = 4 }\ndata \"local_file\" \"c\" { filename = \"main.tf\" }\n", content)
		}
		return files
	}
	b.Run("mooring", func(b *testing.B) {
		r := newRepoWith(b, Options{CLIConfig: cli}, files(-1))
		for i := range five {
			runSession(b, r, fmt.Sprintf("w%02d", i))
		}
		b.ResetTimer()
		defer reportCPU(b, cpuTime(b))
		for n := range b.N {
			r.commit(files(n))
			twoAtATime(five, func(i int) { runSession(b, r, fmt.Sprintf("w%02d", i)) })
		}
	})
	b.Run("bare", func(b *testing.B) {
		defer reportCPU(b, cpuTime(b))
		for n := range b.N {
			r := newRepo(b, files(n))
			twoAtATime(five, func(i int) { runBare(b, r, fmt.Sprintf("w%02d", i), cli) })
		}
	})
}

func runSession(b *testing.B, r *repo, dir string) {
	s, err := r.home.Open(b.Context(), r.spec(dir))
	if err != nil {
		b.Error(err)
		return
	}
	defer s.Close()
	if err := s.Init(b.Context(), io.Discard); err != nil {
		b.Error(err)
		return
	}
	plan, err := s.Plan(b.Context(), io.Discard, PlanOptions{})
	if err != nil {
		b.Error(err)
		return
	}
	if err := only(s.Apply(b.Context(), io.Discard, plan, ApplyOptions{})); err != nil {
		b.Error(err)
	}
}

func runBare(b *testing.B, r *repo, dir, cliConfig string) {
	for _, args := range [][]string{{"init", "-input=false"}, {"plan", "-input=false", "-out=p"}, {"show", "-json", "p"}, {"apply", "p"}} {
		command := exec.Command(realTool(b).Path, args...)
		command.Dir = filepath.Join(r.tree, dir)
		command.Env = []string{"HOME=" + command.Dir, "PATH=/usr/bin:/bin", "TF_CLI_CONFIG_FILE=" + cliConfig, "CHECKPOINT_DISABLE=1"}
		if out, err := command.CombinedOutput(); err != nil {
			b.Errorf("%v: %v\n%s", args, err, out)
		}
	}
}
