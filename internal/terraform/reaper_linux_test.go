package terraform

import (
	"os/exec"
	"testing"
)

// A timer that was set for one command and fires when the next one runs kills nothing: what it would find is that one's.
func TestReaperKillsOnlyForTheCommandThatIsMeant(t *testing.T) {
	r := &reaper{}
	first := r.begin()
	r.finish()
	second := r.begin()
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	r.killAll(first)
	r.killTool(first)
	if len(r.ended) != 0 {
		t.Fatalf("a command that is over killed %v", r.ended)
	}
	r.tell(child.Process.Pid)
	if r.tool != child.Process.Pid {
		t.Errorf("the tool is not known: %d", r.tool)
	}
	r.killTool(second)
	if err := child.Wait(); err == nil {
		t.Error("the tool lives")
	}
	// Word of a process that was waited for comes too late.
	r.begin()
	if r.tell(child.Process.Pid); r.tool != 0 {
		t.Errorf("a process that is gone is the tool: %d", r.tool)
	}
}
