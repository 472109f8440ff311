package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mooring-iac/mooring/e2e/gitea"
)

// driftFiles are what the story of drift adds to the example.
var driftFiles = map[string]string{
	"mooring.hcl": `
drift {
  every     = "6h"
  remediate = "pull_request"
}
`,
	"infra/network/owner.tf": `resource "terraform_data" "owner" {
  input = "platform" # who is asked before anything here changes
}
`,
}

// drifts is what the demo tells of drift. Each act checks that what it shows is what it says.
func drifts(st *stage) {
	chat := st.chat()
	st.typed("cat", "mooring.hcl")
	st.post("", st.forge.shop.Show(gitea.Branch, "mooring.hcl"))
	st.configure(st.driftConfig())
	st.command("sync")
	found(st, chat)
	merged(st, chat, proposed(st))
}

func found(st *stage, chat *chat) {
	st.act("1. Behind its back", "Bob gives the network another owner in a console, and a second client edits a ConfigMap in the cluster. No commit says so.")
	st.behindTerraform(`"platform"`, `"bob"`)
	patch := []byte(`{"data":{"LOG_LEVEL":"trace"}}`)
	_, err := st.objects.client.Resource(configMaps).Namespace(namespace).
		Patch(st.ctx, "shop", types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "kubectl-edit"})
	st.must(err, "edit the ConfigMap")
	st.drift()
	told := []string{chat.next(st), chat.next(st)}
	slices.Sort(told) // units are scanned side by side
	st.say("\nThe chat is told:")
	st.post("", strings.Join(told, "\n\n"))
	st.draw("drift-alert", "<b>Mooring</b> in #platform", strings.Join(told, "\n\n---\n\n"), 0)
	st.say("\nIt is told once, however often it is found:")
	st.drift()
	chat.silent(st)
}

// proposed shows the pull requests that Mooring has opened, and returns them by unit.
func proposed(st *stage) map[string]*gitea.Pull {
	st.act("2. What to do about it", "remediate says \"pull_request\": what is live is written into the files, for people to take or to leave.")
	f := st.forge
	var pulls []struct {
		Number int
		Title  string
		Body   string
		Head   struct{ Ref string }
	}
	f.server.Call(f.ada, http.MethodGet, "repos/"+f.shop.FullName()+"/pulls?state=open", nil, &pulls)
	all := map[string]*gitea.Pull{}
	slices.Reverse(pulls) // the oldest first
	for _, p := range pulls {
		unit, _, _ := strings.Cut(strings.TrimPrefix(p.Title, "Drift in "), ":")
		all[unit] = f.shop.Pull(p.Number)
		st.say("\nPull request #%d, %s:", p.Number, p.Title)
		st.post("", p.Body)
		if unit == "infra/network" {
			above := fmt.Sprintf("<b>%s</b> wants to merge <code>%s</code>: <b>%s</b>", f.bot.Login, p.Head.Ref, html.EscapeString(p.Title))
			st.draw("drift-pull", above, p.Body, 0)
		}
	}
	if all["infra/network"] == nil || all["shop"] == nil || len(all) != 2 {
		st.fail("pull requests of the network and of the manifests were to be opened: there are %d", len(all))
	}
	return all
}

func merged(st *stage, chat *chat, pulls map[string]*gitea.Pull) {
	f := st.forge
	st.act("3. Take what is live", "The pull requests are planned like any other. They change nothing that is live: merged, the files say what is true.")
	for _, unit := range []string{"shop", "infra/network"} {
		st.until(pulls[unit], "mooring:report")
		pulls[unit].Merge(f.ada, "squash")
		st.sync()
	}
	st.typed("mooring", "drift")
	out, err := st.quiet("drift")
	st.must(err, "mooring drift")
	st.post("", out)
	st.say("\nThe chat is told:")
	st.post("", chat.next(st)+"\n\n"+chat.next(st))
	st.command("drift", "history")
}

// drift looks for drift now, and shows what is found: both.
func (st *stage) drift() {
	st.typed("mooring", "drift")
	out, err := st.quiet("drift")
	if err == nil || !strings.Contains(err.Error(), "exit status 2") {
		st.post("", out)
		st.must(errors.Join(err, errors.New("it does not end with 2")), "mooring drift")
	}
	st.post("", out)
	if !strings.Contains(out, "2 drifts.") {
		st.fail("mooring drift does not find both")
	}
}

// driftConfig is the part of server.hcl that the story is about.
func (st *stage) driftConfig() string {
	return fmt.Sprintf(`data_dir = %q
listen   = "127.0.0.1:0"

repository "shop" {
  url      = %q
  username = %q
  token    = env("GITEA_TOKEN")
  forge "gitea" { token = env("GITEA_TOKEN") }
  drift { remediate = "pull_request" }
}

notify "chat" { shoutrrr = env("CHAT_URL") }
route {
  channels = ["chat"]
  events   = ["drift"]
}

`, filepath.Join(st.dir, "data"), st.forge.shop.URL, st.forge.bot.Login)
}

// behindTerraform changes a value in the one state that has it. A terraform_data lives nowhere else: for any other
// resource it would be the cloud that has changed.
func (st *stage) behindTerraform(from, to string) {
	var path string
	err := filepath.WalkDir(filepath.Join(st.dir, "data"), func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(name) != ".tfstate" {
			return err
		}
		text, err := os.ReadFile(name)
		if strings.Contains(string(text), from) {
			path = name
		}
		return err
	})
	st.must(err, "look for the state")
	if path == "" {
		st.fail("no state has %s", from)
	}
	text, err := os.ReadFile(path)
	st.must(err, "read the state")
	var state map[string]any
	st.must(json.Unmarshal([]byte(strings.ReplaceAll(string(text), from, to)), &state), "read the state")
	serial, _ := state["serial"].(float64)
	state["serial"] = serial + 1
	text, err = json.Marshal(state)
	st.must(err, "write the state")
	st.must(errors.Join(os.WriteFile(path+".new", text, 0o600), os.Rename(path+".new", path)), "write the state")
}

// chat is a Mattermost's incoming webhook.
type chat struct{ said chan string }

// chat starts one on loopback, and has Mooring know its address.
func (st *stage) chat() *chat {
	c := &chat{said: make(chan string, 100)}
	l, err := (&net.ListenConfig{}).Listen(st.ctx, "tcp", "127.0.0.1:0")
	st.must(err, "listen for the chat")
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var message struct{ Text string }
		if err := json.NewDecoder(r.Body).Decode(&message); err != nil || message.Text == "" {
			http.Error(w, "a message has a text", http.StatusBadRequest)
			return
		}
		c.said <- message.Text
		_, _ = w.Write([]byte("ok"))
	})}
	go func() { _ = server.Serve(l) }() // until it is closed
	st.later(server.Close)
	st.forge.env = append(st.forge.env, "CHAT_URL=mattermost://"+l.Addr().String()+"/secret?disabletls=yes")
	return c
}

// next is the next message. A command that sends one has told it when it ends.
func (c *chat) next(st *stage) string {
	select {
	case said := <-c.said:
		return said
	default:
		st.fail("the chat is not told")
		return ""
	}
}

// silent checks that nothing more was told.
func (c *chat) silent(st *stage) {
	select {
	case said := <-c.said:
		st.fail("the chat is told again: %s", said)
	default:
		st.say("\nThe chat hears nothing of it.")
	}
}
