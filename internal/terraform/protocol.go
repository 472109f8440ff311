package terraform

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// What runner and supervisor say to each other. The runner writes requests to the supervisor's standard input, a socket, a JSON value each:
// first one that begins a run, with the run's lock and its output file beside it, and at last one that says that the run is done. The supervisor writes frames to its own pipe. Both are the same binary, so there is one version: runFormat, which is checked
// all the same, because a run directory may outlive an upgrade.
const runFormat = 1

// setup is what a supervisor is told before its first command. It comes over a socket and rests nowhere: it holds variables in clear.
type setup struct {
	Format    int               `json:"format"`
	Run       string            `json:"run"` // the run directory
	Confine   confinement       `json:"confine"`
	Tool      string            `json:"tool"` // "terraform" or "tofu"
	Exec      string            `json:"exec"` // what terraform-exec starts
	Dir       string            `json:"dir"`  // the root module in the view
	Grace     time.Duration     `json:"grace"`
	PluginTLS bool              `json:"plugin_tls"`
	StateFile string            `json:"state_file"` // of a local backend; "" for every other
	Recipient string            `json:"recipient"`  // an age recipient: whom things are sealed for
	Secrets   [][]byte          `json:"secrets"`    // hidden in everything that is written down
	Private   string            `json:"private"`    // directory for what is in clear: variables, plans
	Files     map[string][]byte `json:"files"`      // to be written there
}

// request is one command. Verb is a name of the table verbs, or one of the words below.
type request struct {
	Verb    string            `json:"verb"`
	Env     map[string]string `json:"env,omitempty"`
	Secrets [][]byte          `json:"secrets,omitempty"` // learned since the last one
	Timeout time.Duration     `json:"timeout,omitempty"` // 0 is none
	Show    bool              `json:"show,omitempty"`    // both streams are for people: into the output file

	Name        string        `json:"name,omitempty"` // of a plan, a Terraform workspace, a lock id, a file in the private directory
	Data        []byte        `json:"data,omitempty"` // of a file to load
	BackendArgs []string      `json:"backend_args,omitempty"`
	VarFiles    []string      `json:"var_files,omitempty"`
	Destroy     bool          `json:"destroy,omitempty"`
	LockTimeout time.Duration `json:"lock_timeout,omitempty"`
	Parallelism int           `json:"parallelism,omitempty"`
	Digest      string        `json:"digest,omitempty"`  // of the plan that may be applied
	Outputs     bool          `json:"outputs,omitempty"` // after an apply: the outputs are wanted, wherever the state is

	Setup  *setup `json:"setup,omitempty"`  // of what begins
	Reason string `json:"reason,omitempty"` // of a cancel
}

// Words that are no verbs.
const (
	verbBegin  = "begin"  // a run, by its setup
	verbDone   = "done"   // with the run: another one may begin
	verbCancel = "cancel" // end the command that runs, gently
	verbKeep   = "keep"   // seal the plan Name into the run directory
	verbLoad   = "load"   // write Data to the private directory as the plan Name
)

// reply answers a request.
type reply struct {
	Failure *failure `json:"failure,omitempty"`

	Changes  bool       `json:"changes,omitempty"` // plan: Terraform's own word
	Digest   string     `json:"digest,omitempty"`  // plan: sha256 of the saved file, hex
	State    *StateInfo `json:"state,omitempty"`   // plan: made against; apply: what it left, where known
	Names    []string   `json:"names,omitempty"`   // workspace list
	Notes    []string   `json:"notes,omitempty"`
	Unstored bool       `json:"unstored,omitempty"` // a state that no backend took is sealed in the run directory
}

// failure is how a command failed.
type failure struct {
	Command string `json:"command"`
	Stderr  string `json:"stderr"` // its end
	Cause   string `json:"cause"`
	Stopped string `json:"stopped,omitempty"` // why it was interrupted: a person, a shutdown, a timeout
	Killed  bool   `json:"killed,omitempty"`  // it ended by a signal: nobody knows how far it came
	Unknown bool   `json:"unknown,omitempty"` // the failure is Mooring's, not Terraform's
}

// A frame is a kind, a length and that many bytes.
const (
	frameGrew  = 'g' // the output file grew
	frameData  = 'd' // a piece of standard output that Mooring asked for
	frameReply = 'r' // a reply: the end of a command
	maxFrame   = 64 << 20
)

func writeFrame(w io.Writer, kind byte, data []byte) error {
	head := [5]byte{kind}
	binary.BigEndian.PutUint32(head[1:], uint32(len(data)))
	if _, err := w.Write(append(head[:], data...)); err != nil {
		return err
	}
	return nil
}

func readFrame(r *bufio.Reader) (kind byte, data []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(head[1:])
	if length > maxFrame {
		return 0, nil, fmt.Errorf("a frame of %d bytes", length)
	}
	data = make([]byte, length)
	_, err = io.ReadFull(r, data)
	return head[0], data, err
}

func writeReply(w io.Writer, rep reply) error {
	data, err := json.Marshal(rep)
	if err != nil {
		return err
	}
	return writeFrame(w, frameReply, data)
}

// secretBytes keeps secrets as they are on their way through JSON: they may be any bytes.
func secretBytes(secrets []string) [][]byte {
	all := make([][]byte, len(secrets))
	for i, secret := range secrets {
		all[i] = []byte(secret)
	}
	return all
}

func secretStrings(secrets [][]byte) []string {
	all := make([]string, len(secrets))
	for i, secret := range secrets {
		all[i] = string(secret)
	}
	return all
}
