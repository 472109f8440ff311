package k8s

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// severity says what a Pod's trouble means for what the Pod belongs to.
type severity int

const (
	noTrouble severity = iota
	waits              // it may well become ready
	lasting            // it may recover at the next try; if it does not for a while, it has failed
	final              // it has failed
)

// crashesAllowed is how often a container may end and be started again before a crash loop counts as failed: with
// the kubelet's pauses, the third crash comes some ten seconds after the first.
const crashesAllowed = 2

// trouble is why a Pod is not ready.
type trouble struct {
	severity severity
	class    string // what kind of trouble: the clock of a lasting one runs as long as it stays the same
	restarts int64  // of the container in question
	text     string // container, reason, exit code, and the kubelet's own message
}

// pod is the part of a Pod that is looked at.
type pod struct {
	Status struct {
		Phase                 string      `json:"phase"`
		Reason                string      `json:"reason"`
		Message               string      `json:"message"`
		Conditions            []podState  `json:"conditions"`
		InitContainerStatuses []container `json:"initContainerStatuses"`
		ContainerStatuses     []container `json:"containerStatuses"`
	} `json:"status"`
}

type podState struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

type container struct {
	Name         string         `json:"name"`
	Ready        bool           `json:"ready"`
	RestartCount int64          `json:"restartCount"`
	State        containerState `json:"state"`
	LastState    containerState `json:"lastState"`
}

type containerState struct {
	Waiting    *podState   `json:"waiting"`
	Running    *struct{}   `json:"running"`
	Terminated *terminated `json:"terminated"`
}

type terminated struct {
	ExitCode int64  `json:"exitCode"`
	Signal   int64  `json:"signal"`
	Reason   string `json:"reason"`
	Message  string `json:"message"`
}

// podOf reads a Pod; what is not as it should be is left out.
func podOf(o *unstructured.Unstructured) pod {
	var p pod
	_ = runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &p)
	return p
}

// trouble is the worst of what keeps a Pod from being ready; no trouble when nothing does.
func (p pod) trouble() trouble {
	worst := p.ownTrouble()
	p.containers(func(c container, init bool) {
		if t := c.trouble(init); t.severity > worst.severity {
			worst = t
		}
	})
	if p.Status.Phase == "Failed" { // for good: what matters is how its containers ended
		return trouble{severity: waits, class: "failed", text: p.failure()}
	}
	if worst.severity == noTrouble && p.Status.Phase == "Pending" {
		return trouble{severity: waits, text: "the Pod is pending"}
	}
	return worst
}

// ownTrouble is what is wrong with the Pod as a whole.
func (p pod) ownTrouble() trouble {
	for _, c := range p.Status.Conditions {
		// Nothing is final here: nodes may be added, a volume may be bound.
		if c.Type == "PodScheduled" && c.Status == "False" {
			return trouble{severity: waits, class: "schedule", text: joinWords(c.Reason, c.Message)}
		}
	}
	return trouble{}
}

// failure is how a Pod ended that will not be restarted.
func (p pod) failure() string {
	parts := []string{"the Pod has failed"}
	if own := joinWords(p.Status.Reason, p.Status.Message); own != "" {
		parts = append(parts, own)
	}
	p.containers(func(c container, init bool) {
		if t := c.State.Terminated; t != nil && t.ExitCode != 0 {
			parts = append(parts, c.title(init)+": "+t.words())
		}
	})
	return strings.Join(parts, ": ")
}

// containers visits them in the order in which they start.
func (p pod) containers(visit func(c container, init bool)) {
	for _, c := range p.Status.InitContainerStatuses {
		visit(c, true)
	}
	for _, c := range p.Status.ContainerStatuses {
		visit(c, false)
	}
}

func (c container) title(init bool) string {
	if init {
		return "init container " + c.Name
	}
	return "container " + c.Name
}

func (c container) trouble(init bool) trouble {
	t := trouble{restarts: c.RestartCount}
	title := c.title(init)
	last := c.LastState.Terminated
	switch w := c.State.Waiting; {
	case w != nil:
		t.severity, t.class = waitingSeverity(w.Reason)
		text := joinWords(w.Reason, w.Message)
		if w.Reason == "CrashLoopBackOff" {
			if c.RestartCount < crashesAllowed {
				t.severity = waits
			}
			text = fmt.Sprintf("crashes: %srestarted %s: %s", last.before(), times(c.RestartCount), text)
		} else if text == "" {
			text = "has not started yet"
		}
		t.text = title + " " + colon(text)
	case c.State.Terminated != nil && c.State.Terminated.ExitCode != 0:
		t.severity, t.class, t.text = waits, "crash", title+" has ended: "+c.State.Terminated.words()
	case c.State.Running != nil && init && !c.Ready:
		t.severity, t.text = waits, title+" is running"
	case c.State.Running != nil && !c.Ready:
		t.severity, t.text = waits, title+" runs and is not ready"
		if last != nil && c.RestartCount > 0 {
			t.text += fmt.Sprintf(": restarted %s after %s", times(c.RestartCount), last.words())
		}
	default:
		return trouble{}
	}
	return t
}

// colon puts one in front of a reason, not of a verb.
func colon(text string) string {
	if text[0] >= 'a' && text[0] <= 'z' {
		return text
	}
	return "is waiting: " + text
}

// waitingSeverity knows the kubelet's reasons for which a container does not start.
func waitingSeverity(reason string) (severity, string) {
	switch reason {
	case "CrashLoopBackOff":
		return final, "crash"
	case "InvalidImageName", "ErrImageNeverPull":
		return final, "image"
	case "ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed":
		return lasting, "image"
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError", "PreStartHookError", "PostStartHookError":
		return lasting, "start"
	}
	return waits, ""
}

// words say how a container ended, in its own words where it left some.
func (t *terminated) words() string {
	text := fmt.Sprintf("exit code %d", t.ExitCode)
	if t.Signal != 0 {
		text = fmt.Sprintf("signal %d", t.Signal)
	}
	if t.Reason != "" && t.Reason != "Error" {
		text += " (" + t.Reason + ")"
	}
	if t.Message != "" {
		text += ": " + t.Message
	}
	return text
}

// before is the same to be followed by more; nothing where nothing is known.
func (t *terminated) before() string {
	if t == nil {
		return ""
	}
	return t.words() + ", "
}

func times(n int64) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}
