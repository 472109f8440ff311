package reviews

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/gitea"
	"github.com/mooring-iac/mooring/e2e/program"
	"github.com/mooring-iac/mooring/runner"
	"github.com/mooring-iac/mooring/runner/drift"
)

func remedied(rung string) setting {
	return setting{
		more: fmt.Sprintf("  drift {\n    remediate = %q\n  }\n", rung),
		files: map[string]string{
			"mooring.hcl": fmt.Sprintf("drift {\n  every     = \"1s\"\n  backoff   = 1\n  remediate = %q\n}\n", rung),
			"app/main.tf": inputOf("one"),
		},
	}
}

// inputOf is a root module whose one resource has a literal.
func inputOf(value string) string {
	return fmt.Sprintf("resource \"terraform_data\" \"app\" {\n  input = %q # who owns it\n}\n", value)
}

// Drift is one issue: opened, kept up to date, closed when it is gone.
func TestDriftIsAnIssueUntilItIsHealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, remedied("issue"))
	w.serve()
	w.await(time.Minute, "the first commit to be applied", func() string {
		if all := w.runs(); len(all) == 0 || all[len(all)-1].Status != runner.Applied {
			return program.Tail(w.mooring.Said())
		}
		return ""
	})
	w.editState("one", "other")
	issue := func(state string, words ...string) {
		t.Helper()
		w.await(time.Minute, "the issue to be "+state, func() string {
			all := w.issues()
			if len(all) != 1 || all[0].State != state {
				return fmt.Sprintf("there are %+v", all)
			}
			for _, word := range words {
				if !strings.Contains(all[0].Body, word) {
					return fmt.Sprintf("%q is missing in\n%s", word, all[0].Body)
				}
			}
			return ""
		})
	}
	issue("open", "terraform_data.app", "other")
	w.kill()
	w.serve()
	w.editState("other", "third")
	issue("open", "terraform_data.app", "third")
	w.editState("third", "one")
	issue("closed")
}

// What is live is written into the file by a pull request, which is planned like any other. Merged by a person, it ends the drift.
func TestDriftIsAPullRequestThatWritesWhatIsLive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, remedied("pull_request"))
	w.serve()
	w.await(time.Minute, "the first commit to be applied", func() string {
		if all := w.runs(); len(all) == 0 || all[len(all)-1].Status != runner.Applied {
			return program.Tail(w.mooring.Said())
		}
		return ""
	})
	w.editState("one", "other")
	var number int
	w.await(time.Minute, "the pull request", func() string {
		var all []struct {
			Number int
			Title  string
		}
		w.server.Call(w.owner, http.MethodGet, "repos/"+w.repo.FullName()+"/pulls?state=open", nil, &all)
		if len(all) != 1 {
			return fmt.Sprintf("there are %+v, issues %+v", all, w.issues())
		}
		number = all[0].Number
		return ""
	})
	pull := w.repo.Pull(number)
	if got, want := w.repo.Show(pull.State().Head, "app/main.tf"), inputOf("other"); strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("it writes\n%s\nwant\n%s", got, want)
	}
	w.converged(time.Minute, map[*gitea.Pull]expected{pull: {status: map[string]string{"mooring/plan": "success", "mooring/policy": "success"}}})
	pull.Merge(w.author, "squash")
	w.await(time.Minute, "the drift to end", func() string {
		code, out, errs := w.run("drift", "history", "-o", "json")
		var list struct{ Drifts []drift.Record }
		if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 {
			t.Fatalf("mooring drift history: exit %d, %v: %s%s", code, err, out, errs)
		}
		if len(list.Drifts) != 1 || list.Drifts[0].Ended == nil {
			return out
		}
		if by := list.Drifts[0].EndedBy; !strings.HasPrefix(by, fmt.Sprintf("#%d", number)) {
			t.Errorf("it ended by %q", by)
		}
		return ""
	})
	w.await(time.Minute, "its branch to be deleted", func() string {
		var branches []struct{ Name string }
		w.server.Call(w.owner, http.MethodGet, "repos/"+w.repo.FullName()+"/branches", nil, &branches)
		for _, b := range branches {
			if strings.HasPrefix(b.Name, "mooring/drift/") {
				return b.Name
			}
		}
		return ""
	})
}

type issue struct {
	Number      int
	Title, Body string
	State       string
}

// issues are all that the repository has, without pull requests.
func (w *world) issues() (all []issue) {
	w.t.Helper()
	w.server.Call(w.owner, http.MethodGet, "repos/"+w.repo.FullName()+"/issues?type=issues&state=all", nil, &all)
	return all
}

// editState changes a value in the state of the unit app, once it is there, as somebody does who is not Mooring.
func (w *world) editState(old, new string) {
	w.t.Helper()
	path := filepath.Join(w.data, "state", "infra", "app", "terraform.tfstate")
	w.await(time.Minute, "the state to have "+old, func() string {
		data, err := os.ReadFile(path)
		if err != nil {
			return err.Error()
		}
		if !strings.Contains(string(data), fmt.Sprintf("%q", old)) {
			return fmt.Sprintf("it has %q", data)
		}
		var state map[string]any
		if err := json.Unmarshal([]byte(strings.ReplaceAll(string(data), fmt.Sprintf("%q", old), fmt.Sprintf("%q", new))), &state); err != nil {
			return err.Error()
		}
		state["serial"] = state["serial"].(float64) + 1
		if data, err = json.Marshal(state); err == nil {
			err = errors.Join(os.WriteFile(path+".new", data, 0o600), os.Rename(path+".new", path)) // a scan may read it just now
		}
		if err != nil {
			w.t.Fatal(err)
		}
		return ""
	})
}
