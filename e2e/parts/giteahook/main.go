// Command giteahook asks a Gitea about a push as `gitea hook` does (cmd/hook.go there), which Git has to start twice for
// each: that program takes a quarter of a second of processor time to start, for all that its packages lay out for it.
//
//	giteahook pre-receive|post-receive URL < refs
//
// Git's environment and Gitea's tell of the push. What tells Gitea's programs from others is read from the environment too,
// as GITEA_INTERNAL_TOKEN.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: giteahook pre-receive|post-receive URL")
		os.Exit(2)
	}
	if err := ask(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintf(os.Stderr, "error:\nerror: %v\nerror:\n", err)
		os.Exit(1)
	}
}

// push is HookOptions of Gitea's modules/private, of which this is what a push over http has.
type push struct {
	OldCommitIDs, NewCommitIDs, RefFullNames                               []string
	UserID                                                                 int64
	UserName                                                               string
	GitObjectDirectory, GitAlternativeObjectDirectories, GitQuarantinePath string
	GitPushOptions                                                         map[string]string
	PullRequestID                                                          int64
	PushTrigger                                                            string
	DeployKeyID                                                            int64
}

// ask has Gitea say whether a push may be, or tells it of one that was. The error is what Gitea says against it.
func ask(hook, server string) error {
	if os.Getenv("SSH_ORIGINAL_COMMAND") == "" || os.Getenv("GITEA_REPO_IS_WIKI") == "true" {
		return nil // no push through Gitea, or none that is anybody's business
	}
	p := push{
		UserID: number("GITEA_PUSHER_ID"), UserName: os.Getenv("GITEA_PUSHER_NAME"),
		GitObjectDirectory: os.Getenv("GIT_OBJECT_DIRECTORY"), GitQuarantinePath: os.Getenv("GIT_QUARANTINE_PATH"),
		GitAlternativeObjectDirectories: os.Getenv("GIT_ALTERNATE_OBJECT_DIRECTORIES"),
		GitPushOptions:                  options(), PullRequestID: number("GITEA_PR_ID"), DeployKeyID: number("GITEA_DEPLOY_KEY_ID"),
		PushTrigger: os.Getenv("GITEA_PUSH_TRIGGER"),
	}
	refs := bufio.NewScanner(os.Stdin)
	for refs.Scan() {
		if line := strings.Split(refs.Text(), " "); len(line) == 3 {
			p.OldCommitIDs, p.NewCommitIDs, p.RefFullNames = append(p.OldCommitIDs, line[0]), append(p.NewCommitIDs, line[1]), append(p.RefFullNames, line[2])
		}
	}
	if err := refs.Err(); err != nil || len(p.RefFullNames) == 0 {
		return err
	}
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	path := server + "/api/internal/hook/" + hook + "/" + url.PathEscape(os.Getenv("GITEA_REPO_USER_NAME")) + "/" + url.PathEscape(os.Getenv("GITEA_REPO_NAME"))
	req, err := http.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Real-IP", "127.0.0.1")
	req.Header.Set("X-Gitea-Internal-Auth", "Bearer "+os.Getenv("GITEA_INTERNAL_TOKEN"))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 == 2 {
		return nil // after a push it holds words for who pushed, who is a test
	}
	var refusal struct {
		Words string `json:"user_msg"`
		Err   string `json:"err"`
	}
	if err := json.Unmarshal(answer, &refusal); err != nil || refusal.Words+refusal.Err == "" {
		return fmt.Errorf("status %s: %.200s", resp.Status, answer)
	}
	return fmt.Errorf("%s %s", refusal.Words, refusal.Err)
}

// options are those of `git push -o key=value`.
func options() map[string]string {
	all := map[string]string{}
	for i := range number("GIT_PUSH_OPTION_COUNT") {
		if key, value, ok := strings.Cut(os.Getenv(fmt.Sprintf("GIT_PUSH_OPTION_%d", i)), "="); ok {
			all[key] = value
		}
	}
	return all
}

// number is one of the environment; 0 is none.
func number(name string) int64 {
	n, err := strconv.ParseInt(os.Getenv(name), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
