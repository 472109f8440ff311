package terraform

import (
	"runtime"
	"testing"
)

// A plan of 2,000 resources is decoded whole; what that takes must stay far below what a runner may use.
func TestBigPlan(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"app/main.tf": `resource "terraform_data" "a" {
  count = 2000
  input = { name = "resource ${count.index}", tags = { a = "one", b = "two", n = count.index } }
}`})
	s := r.ready(r.spec("app"))
	plan := r.plan(s, PlanOptions{})
	if plan.Add != 2000 || len(plan.JSON.ResourceChanges) != 2000 {
		t.Fatalf("%d to add", plan.Add)
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	if memory.HeapSys-memory.HeapReleased > 256<<20 {
		t.Errorf("heap of %d MiB", (memory.HeapSys-memory.HeapReleased)>>20)
	}
	t.Logf("heap from the system %d MiB", (memory.HeapSys-memory.HeapReleased)>>20)
}
