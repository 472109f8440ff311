package terraform

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// inModes runs a test in each confinement that this machine has.
func inModes(t *testing.T, do func(t *testing.T, mode string)) {
	t.Parallel()
	for _, mode := range []string{modeNamespaces, modeLandlock} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			home, err := New(t.TempDir(), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := home.try(mode); err != nil {
				if os.Getenv("CI") == "true" {
					t.Fatalf("no %s on this machine: %v", mode, err)
				}
				t.Skipf("SKIPPED, NOT TESTED: no %s on this machine: %v", mode, err)
			}
			do(t, mode)
		})
	}
}

// runs is the configuration whose apply runs a script.
func runs(script string) string {
	return fmt.Sprintf("resource \"terraform_data\" \"a\" {\n  provisioner \"local-exec\" {\n    command = <<-SCRIPT\n%s\nSCRIPT\n  }\n}\n", strings.ReplaceAll(script, "${", "$${"))
}

// bystander is a process of the same user with a secret in its environment.
func bystander(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("sleep", "300")
	cmd.Env = []string{"SECRET=canary-of-the-runner"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Errorf("a run killed a process outside: %v", err)
		}
		cmd.Wait()
	})
	return cmd.Process.Pid
}

// What a script that an apply runs can reach of the machine and of Mooring. Each probe that succeeds is an escape.
func TestNoEscapeFromAScript(t *testing.T) {
	inModes(t, func(t *testing.T, mode string) {
		out := filepath.Join(t.TempDir(), "out")
		r := newRepo(t, map[string]string{"victim/main.tf": resourceA, "README.md": "x\n"})
		r.home.confined = Confinement{Mode: mode}
		r.converge(r.spec("victim"))
		data := r.home.dataDir
		for _, name := range []string{"mooring.db", "age.key", "plans/x.tfplan.age"} {
			if err := os.WriteFile(filepath.Join(data, name), []byte("hush"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		hostFile, err := os.CreateTemp("", "mooring-host-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.Remove(hostFile.Name())
		fmt.Fprintln(hostFile, "host")
		socket := fmt.Sprintf("mooring-test-%d-%s", os.Getpid(), mode)
		listener, err := net.Listen("unix", "@"+socket)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()

		sibling := WarmName("infra", "victim")
		script := `
out=` + out + `; data=` + data + `; tree=` + r.tree + `; pid=` + fmt.Sprint(bystander(t)) + `
probe() { if (eval "$2") >/dev/null 2>&1; then echo "ESCAPED: $1" >>$out; fi; }
probe "keys" 'perl -e "my (\$t, \$d) = (q(user), q(left)); exit(syscall(248, \$t, \$d, \$d, 1, -4) > 0 ? 0 : 1)"'
probe "find a key" 'perl -e "exit(syscall(250, 0, -4, 1) > 0 ? 0 : 1)"'
probe "persistent keys" 'perl -e "exit(syscall(250, 22, -1, -2) > 0 ? 0 : 1)"'
probe "mounts of the machine" 'grep -q . /proc/1/mountinfo || grep -q . /proc/1/mounts'
probe "environment of another process" 'cat /proc/[0-9]*/environ | grep -qa canary-of-the-runner'
probe "memory of the supervisor" 'dd if=/proc/1/mem of=/dev/null bs=4096 count=1 skip=1024'
probe "descriptors of the supervisor" 'readlink /proc/1/fd/0 || cat /proc/1/fd/3 || ls /proc/1/fd/*/ | grep .'
probe "root of the supervisor" 'ls /proc/1/root/ | grep .'
probe "run directory by a descriptor" 'for f in /proc/[0-9]*/fd/*; do [ -e $f/run.json ] && exit 0; done; exit 1'
for name in mooring.db age.key plans/x.tfplan.age; do probe "read $name" "cat $data/$name"; done
probe "list plans" 'ls $data/plans | grep .'
probe "another state" 'cat $data/state/infra/victim/terraform.tfstate'
probe "another view" 'ls $data/views/` + sibling + ` | grep .'
for name in result.json events.jsonl output run.json x; do probe "write $name" "echo forged >>$(echo $data/run/*)/$name"; done
probe "control" '[ -p $(echo $data/run/*)/control ]'
probe "make in data" 'mkdir $data/new'
probe "make in providers" 'mkdir $data/providers/new'
probe "make in shims" 'touch $data/tools/shims/new'
probe "write the checkout" 'touch $tree/new'
probe "write the checkout through the view" 'touch ../../checkout/new'
probe "write a file through the view" 'echo more >>../README.md'
probe "home" 'ls ` + r.home.userHome + ` | grep .'
probe "file of the machine" 'cat ` + hostFile.Name() + `'
probe "passwords" 'cat /etc/shadow'
probe "signal" 'kill -0 $pid && [ ! -d /proc/self ]'
probe "trace" 'timeout -s INT 2 strace -o /dev/null -p $pid; [ $? = 124 ]'
probe "trace the supervisor" 'timeout -s INT 2 strace -o /dev/null -p 1; [ $? = 124 ]'
probe "mount" 'mount -t tmpfs none /opt'
probe "unmount" 'umount /proc/sys || umount -l /proc'
probe "remount" 'mount -o remount,rw / || mount -o remount,rw,bind /usr'
probe "new user namespace" 'unshare -Urm true'
probe "new proc" 'unshare -Urmpf --mount-proc true'
probe "block device" 'mknod $PWD/blk b 8 0'
probe "character device" 'mknod $PWD/chr c 1 3'
probe "core pattern" 'v=$(cat /proc/sys/kernel/core_pattern) && echo "$v" >/proc/sys/kernel/core_pattern'
probe "sysrq" 'echo h >/proc/sysrq-trigger'
probe "disks" 'for d in /dev/[svh]d? /dev/nvme?n?; do head -c1 $d && exit 0; done; exit 1'
probe "kernel log" 'timeout 1 head -c1 /dev/kmsg || timeout 1 head -c1 /proc/kmsg'
probe "kernel memory" 'head -c16 /proc/kcore | grep -qa .'
probe "abstract socket" 'perl -MSocket -e "socket(S,PF_UNIX,SOCK_STREAM,0) or exit 1; connect(S,pack_sockaddr_un(qq(\0` + socket + `))) or exit 1"'
probe "privileges" 'setpriv -d | grep -q "no_new_privs: 0"'
probe "capabilities" 'setpriv -d | grep -i "capabilit\|bounding" | grep -v "none\|unsupported"'
perl -MPOSIX -e 'for (3..255) { my $d = POSIX::dup($_); next unless defined $d; POSIX::close($d); print "$_ " }' >$out.fds
kill -9 1 2>/dev/null; kill -TERM -1 2>/dev/null
echo reached >>$out
`
		writeTree(t, r.tree, map[string]string{"hostile/main.tf": runs(script)})
		before := findFiles(t, r.tree)
		s := r.ready(r.spec("hostile"))
		plan := r.plan(s, PlanOptions{})
		// kill -1 ends Terraform too where it may reach it: what counts is what the script reached.
		_, err = s.Apply(t.Context(), io.Discard, plan, ApplyOptions{})
		t.Logf("apply: %v", err)
		s.Close()
		said, _ := os.ReadFile(out)
		if strings.Contains(string(said), "ESCAPED") || err == nil && !strings.Contains(string(said), "reached") {
			t.Errorf("%s", said)
		}
		want := ""
		if mode == modeLandlock {
			want = "children"
		}
		if fds := strings.Fields(read(t, out+".fds")); len(fds) > 1 || len(fds) == 1 && want == "" {
			t.Errorf("inherited descriptors: %v", fds)
		}
		if now := findFiles(t, r.tree); len(now) != len(before) {
			t.Errorf("files in the checkout: %v, were %v", now, before)
		}
		if read(t, filepath.Join(r.tree, "README.md")) != "x\n" {
			t.Error("a file of the checkout was written to")
		}
	})
}

// Functions of the language see no more than a script does; and a plan needs no script.
func TestNoEscapeFromFunctions(t *testing.T) {
	inModes(t, func(t *testing.T, mode string) {
		bystander(t)
		r := newRepo(t, nil)
		r.home.confined = Confinement{Mode: mode}
		data := r.home.dataDir
		if err := os.WriteFile(filepath.Join(data, "age.key"), []byte("hush-key"), 0o600); err != nil {
			t.Fatal(err)
		}
		writeTree(t, r.tree, map[string]string{"a/main.tf": fmt.Sprintf(`
output "seen" {
  value = {
    key      = try(file("%[1]s/age.key"), "")
    template = try(templatefile("%[1]s/age.key", {}), "")
    digest   = try(filesha256("%[1]s/age.key"), "")
    environ  = join("", [for f in try(fileset("/proc", "*/environ"), []) : try(file("/proc/${f}"), "")])
    shadow   = try(file("/etc/shadow"), "")
    home     = join("", try(fileset("%[2]s", "**"), []))
    runs     = join("", try(fileset("%[1]s/run", "*/{run.json,control,output,events.jsonl}"), []))
    state    = join("", [for f in try(fileset("%[1]s/state", "**"), []) : f if !startswith(f, "infra/a/")])
    plans    = join("", try(fileset("%[1]s/plans", "**"), []))
  }
}
`, data, r.home.userHome)})
		s := r.ready(r.spec("a"))
		plan := r.plan(s, PlanOptions{})
		seen := plan.JSON.OutputChanges["seen"].After.(map[string]any)
		for name, value := range seen {
			if name == "environ" && !strings.Contains(fmt.Sprint(value), "canary") {
				continue // the tool's own
			}
			if name == "home" && filepath.Join(r.home.userHome, fmt.Sprint(value)) == realTool(t).Path {
				continue // the tool itself, where it lies there
			}
			if value != "" {
				t.Errorf("%s: %v", name, value)
			}
		}
	})
}

// The absolute paths of a "local" backend are the repository's words: none may open a door.
func TestAbsoluteStatePlaces(t *testing.T) {
	inModes(t, func(t *testing.T, mode string) {
		r := newRepo(t, nil)
		r.home.confined = Confinement{Mode: mode}
		r.home.opts.Sandbox.Write = nil
		r.home.userHome = t.TempDir()
		links := t.TempDir()
		for name, target := range map[string]string{"data": r.home.dataDir, "home": r.home.userHome, "etc": "/etc", "root": "/"} {
			if err := os.Symlink(target, filepath.Join(links, name)); err != nil {
				t.Fatal(err)
			}
		}
		for _, dir := range []string{
			"/", "/etc", "/etc/mooring-test", "/proc/self", "/root", "/home", "/home/mooring-test/x", "/tmp", "/var", "/var/lib/mooring-test", "/var/run/x", "/usr/x", filepath.Dir(r.home.dataDir), r.home.dataDir, r.home.dataDir + "/state/infra",
			r.home.dataDir + "/run", r.home.userHome, r.home.userHome + "/.aws", links + "/data", links + "/data/state", links + "/home/x", links + "/etc/mooring-test", links + "/root",
		} {
			_, before := os.Stat(dir)
			writeTree(t, r.tree, map[string]string{"a/main.tf": fmt.Sprintf("terraform {\n  backend \"local\" {\n    path = \"%s/terraform.tfstate\"\n  }\n}\n", dir)})
			spec := r.spec("a")
			spec.BackendType, spec.StatePath = "local", dir+"/terraform.tfstate"
			s, err := r.home.Open(t.Context(), spec)
			if err == nil {
				s.Close()
			}
			if !errors.Is(err, ErrSandbox) || !strings.Contains(err.Error(), "sandbox") {
				t.Errorf("own state in %s: %v", dir, err)
			}
			if _, after := os.Stat(dir); before != nil && after == nil {
				t.Errorf("%s was made all the same", dir)
				os.Remove(dir)
			}
			if dir == "/usr/x" || dir == "/root" {
				continue
			}
			spec = r.spec("a")
			spec.RemoteStatePaths = []string{dir + "/"}
			if s, err = r.home.Open(t.Context(), spec); err == nil {
				s.Close()
			}
			if _, missing := os.Stat(dir); missing == nil && !errors.Is(err, ErrSandbox) {
				t.Errorf("another's state in %s: %v", dir, err)
			}
		}
		place := filepath.Join(t.TempDir(), "states")
		config := func(more string) string {
			return fmt.Sprintf("terraform {\n  backend \"local\" {\n    path = \"%s/terraform.tfstate\"\n  }\n}\n", place) + more
		}
		writeTree(t, r.tree, map[string]string{"a/main.tf": config(resourceA)})
		spec := r.spec("a")
		spec.BackendType, spec.StatePath = "local", place+"/terraform.tfstate"
		if plan := r.converge(spec); plan.Add != 1 {
			t.Fatalf("%+v", plan)
		}
		// Another workspace reads it by its absolute path, and may not write it.
		kept := read(t, place+"/terraform.tfstate")
		writeTree(t, r.tree, map[string]string{"b/main.tf": fmt.Sprintf(`
data "terraform_remote_state" "a" {
  backend = "local"
  config  = { path = "%[1]s/terraform.tfstate" }
}
output "n" { value = length(data.terraform_remote_state.a.outputs) }
`, place) + runs("echo forged >"+place+"/terraform.tfstate; touch "+place+"/new; true")})
		spec = r.spec("b")
		spec.RemoteStatePaths = []string{place + "/terraform.tfstate"}
		r.converge(spec)
		if now := read(t, place+"/terraform.tfstate"); now != kept {
			t.Errorf("another workspace wrote the state: %s", now)
		}
		if _, err := os.Stat(place + "/new"); err == nil {
			t.Error("another workspace made a file beside the state")
		}
	})
}

// sandbox { read, write } opens what the operator names, the way they say, and never Mooring's own data.
func TestSandboxLists(t *testing.T) {
	inModes(t, func(t *testing.T, mode string) {
		base := t.TempDir()
		for _, name := range []string{"ro", "rw", "no"} {
			writeTree(t, filepath.Join(base, name), map[string]string{"f": name})
		}
		r := newRepo(t, map[string]string{"a/main.tf": runs(fmt.Sprintf(`cd %s; cat ro/f >rw/got; cat no/f >>rw/got; echo x >>ro/f; echo x >ro/new; true`, base))})
		r.home.confined = Confinement{Mode: mode}
		r.home.opts.Sandbox = Sandbox{Read: []string{base + "/ro"}, Write: []string{base + "/rw"}}
		r.converge(r.spec("a"))
		if got := read(t, base+"/rw/got"); got != "ro" || read(t, base+"/ro/f") != "ro" || len(findFiles(t, base+"/ro")) != 1 {
			t.Errorf("got %q", got)
		}
	})
}

// Credentials of an apply are there for the apply and for nothing else.
func TestPlanAndApplyEnvironment(t *testing.T) {
	inModes(t, func(t *testing.T, mode string) {
		log := filepath.Join(t.TempDir(), "log")
		r := newRepo(t, map[string]string{"a/main.tf": resourceA})
		r.home.confined = Confinement{Mode: mode}
		spec := r.spec("a")
		spec.Tool = before(t, spec.Tool, "env-"+mode, `echo "$1 plan=$FOR_PLAN apply=$FOR_APPLY init=$FOR_INIT all=$FOR_ALL" >>`+log)
		spec.Env, spec.InitEnv = map[string]string{"FOR_ALL": "e"}, map[string]string{"FOR_INIT": "i"}
		spec.PlanEnv, spec.ApplyEnv = map[string]string{"FOR_PLAN": "p"}, map[string]string{"FOR_APPLY": "a"}
		r.converge(spec)
		want := "init plan=p apply= init=i all=e\nplan plan=p apply= init= all=e\nshow plan=p apply= init= all=e\napply plan= apply=a init= all=e\n"
		if got := read(t, log); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}
