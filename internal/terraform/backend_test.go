package terraform

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// stateServer is an HTTP state backend on loopback that can be told to refuse writes.
type stateServer struct {
	*httptest.Server
	mu     sync.Mutex
	state  []byte
	lock   []byte
	refuse bool
}

func newStateServer(t *testing.T) *stateServer {
	s := &stateServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *stateServer) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Method {
	case http.MethodGet:
		if s.state == nil {
			w.WriteHeader(http.StatusNotFound)
		}
		w.Write(s.state)
	case http.MethodPost:
		if s.refuse {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		s.state = body
	case "LOCK":
		if s.lock != nil {
			w.WriteHeader(http.StatusLocked)
			w.Write(s.lock)
			return
		}
		s.lock = body
	case "UNLOCK":
		s.lock = nil
	}
}

func (s *stateServer) set(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

func (s *stateServer) config(extra string) string {
	return fmt.Sprintf("terraform {\n backend \"http\" {\n address = %q\n lock_address = %q\n unlock_address = %q\n retry_max = 0\n}\n}\n%s", s.URL, s.URL, s.URL, extra)
}

// A backend that is not a local file: state and outputs come from Terraform, typed the same.
func TestRemoteBackend(t *testing.T) {
	t.Parallel()
	server := newStateServer(t)
	r := newRepo(t, map[string]string{"app/main.tf": server.config(`resource "terraform_data" "a" {}
output "n" { value = 12345678901234567890 }
output "s" {
  value     = { a = ["x"] }
  sensitive = true
}`)})
	spec := r.spec("app")
	spec.BackendType = "http"
	s := r.ready(spec)
	plan := r.plan(s, PlanOptions{})
	if err := only(s.Apply(t.Context(), io.Discard, plan, ApplyOptions{})); err != nil {
		t.Fatal(err)
	}
	state, err := s.State(t.Context())
	if err != nil || state.Lineage == "" || state.Resources != 1 {
		t.Fatalf("%+v %v", state, err)
	}
	outputs, err := s.Outputs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"n": `12345678901234567890 "number" false`, "s": `{"a":["x"]} ["object",{"a":["tuple",["string"]]}] true`} {
		o := outputs[name]
		if got := fmt.Sprintf("%s %s %v", compact(t, o.JSON), compact(t, o.Type), o.Sensitive); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		o = state.Outputs[name]
		if got := fmt.Sprintf("%s %s %v", compact(t, o.JSON), compact(t, o.Type), o.Sensitive); got != want {
			t.Errorf("%s in the state: %s, want %s", name, got, want)
		}
	}
	if found := findFiles(t, r.home.state); len(found) != 0 {
		t.Errorf("state at home: %v", found)
	}
}

func TestForeignStateLockIsReportedAndLeftAlone(t *testing.T) {
	t.Parallel()
	server := newStateServer(t)
	r := newRepoWith(t, Options{LockTimeout: 1}, map[string]string{"app/main.tf": server.config("")})
	spec := r.spec("app")
	spec.BackendType = "http"
	s := r.ready(spec)
	foreign := []byte(`{"ID":"1234","Operation":"OperationTypeApply","Who":"alice@laptop"}`)
	server.set(func() { server.lock = foreign })
	_, err := s.Plan(t.Context(), io.Discard, PlanOptions{})
	if err == nil || !strings.HasPrefix(err.Error(), "terraform plan: Error acquiring the state lock: the state is locked by alice@laptop for OperationTypeApply with lock id 1234.") {
		t.Fatalf("%v", err)
	}
	server.set(func() {
		if !bytes.Equal(server.lock, foreign) {
			t.Error("the lock is gone")
		}
	})
}

// A state that the backend refuses is not lost, and its secrets are not printed, even when Terraform cannot write it beside itself.
func TestStateThatCannotBeStored(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, hinder string }{{"errored.tfstate", "true"}, {"printed", "mkdir errored.tfstate"}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := newStateServer(t)
			r := newRepo(t, map[string]string{"app/main.tf": server.config(fmt.Sprintf(`
variable "secret" { sensitive = true }
resource "terraform_data" "a" {
  input = var.secret
  provisioner "local-exec" { command = %q }
}
`, tt.hinder))})
			spec := r.spec("app")
			spec.BackendType = "http"
			spec.Variables = map[string]Variable{"secret": {JSON: []byte(`"` + canary + `"`), Sensitive: true}}
			s := r.ready(spec)
			plan := r.plan(s, PlanOptions{})
			server.set(func() { server.refuse = true })
			var out bytes.Buffer
			err := only(s.Apply(t.Context(), &out, plan, ApplyOptions{}))
			if err == nil || !strings.Contains(err.Error(), "Failed to") {
				t.Fatalf("%v", err)
			}
			if strings.Contains(out.String(), canary) || strings.Contains(err.Error(), canary) {
				t.Errorf("a secret shows: %v\n%s", err, &out)
			}
			kept, err := r.home.Unstored("infra", "app")
			if err != nil || len(kept) != 1 || !strings.Contains(strings.Join(s.Notes(), ""), "mooring state push") {
				t.Fatalf("kept %v, %v, notes %v\n%s", kept, err, s.Notes(), &out)
			}
			if sealed := read(t, kept[0].File); strings.Contains(sealed, canary) || strings.Contains(sealed, "lineage") {
				t.Error("the kept state is in clear")
			}
			if info, err := os.Stat(kept[0].File); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v %v", info, err)
			}
			s.Close()
			found := findFiles(t, filepath.Dir(r.home.views))
			for _, name := range found {
				if data, err := os.ReadFile(name); err == nil && bytes.Contains(data, []byte(canary)) {
					t.Errorf("the state lies in clear in %s", name)
				}
			}
			// And back, once the backend is well again.
			server.set(func() { server.refuse = false })
			s = r.ready(spec)
			if err := s.PushState(t.Context(), kept[0]); err != nil {
				t.Fatal(err)
			}
			if info, err := s.State(t.Context()); err != nil || info.Resources != 1 {
				t.Errorf("pushed: %+v %v", info, err)
			}
			if left, err := r.home.Unstored("infra", "app"); err != nil || len(left) != 0 {
				t.Errorf("left: %v %v", left, err)
			}
		})
	}
}

// A state whose place the caller does not know would be lost with the view.
func TestAnotherBackendThanExpected(t *testing.T) {
	t.Parallel()
	server := newStateServer(t)
	r := newRepo(t, map[string]string{
		"http/main.tf": server.config(""), "local/main.tf": "terraform {\n backend \"local\" {\n path = \"x/y.tfstate\"\n}\n}\n", "none/main.tf": "",
		"local/b.hcl": `workspace_dir = "w"`,
	})
	for _, tt := range []struct {
		dir, says string
		edit      func(*Spec)
	}{
		{"http", `backend is "http", expected ""`, func(*Spec) {}},
		{"none", `backend is "", expected "s3"`, func(s *Spec) { s.BackendType = "s3" }},
		{"local", `path of backend "local" is "x/y.tfstate", expected "terraform.tfstate"`, func(s *Spec) { s.BackendType = "local" }},
		{"local", `workspace_dir of backend "local" is "w", expected "terraform.tfstate.d"`, func(s *Spec) {
			s.BackendType, s.StatePath, s.BackendFiles = "local", "./x/y.tfstate", []string{"local/b.hcl"}
		}},
		{"local", "", func(s *Spec) { s.BackendType, s.StatePath = "local", "x/../x/y.tfstate" }},
	} {
		spec := r.spec(tt.dir)
		tt.edit(&spec)
		s := r.open(spec)
		err := s.Init(t.Context(), io.Discard)
		if tt.says == "" && err != nil || tt.says != "" && (!errors.Is(err, ErrBackend) || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: %v", tt.dir, err)
		}
		s.Close()
	}
}
