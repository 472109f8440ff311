package pack

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// large is a plan of n changes: of the fixtures' again and again under other addresses, and for each of those as many
// others as others says, which no rule minds.
func large(t testing.TB, n, others int) any {
	t.Helper()
	var from, conf []any
	for _, name := range []string{"aws-open", "aws-computed", "google-open", "azure-open"} {
		p := readJSON(t, name).(map[string]any)
		from = append(from, p["resource_changes"].([]any)...)
		conf = append(conf, p["configuration"].(map[string]any)["root_module"].(map[string]any)["resources"].([]any)...)
	}
	var changes, resources []any
	for i := 0; len(changes) < n; i++ {
		changes = append(changes, again(t, from[i%len(from)], i))
		resources = append(resources, again(t, conf[i%len(conf)], i))
		for k := range others {
			changes = append(changes, dull(i, k))
		}
	}
	return map[string]any{
		"format_version": "1.2", "resource_changes": changes[:n],
		"configuration": map[string]any{"root_module": map[string]any{"resources": resources}},
	}
}

// again is a copy under another address.
func again(t testing.TB, v any, i int) any {
	t.Helper()
	src, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(src), `"address":"`, fmt.Sprintf(`"address":"module.m%d.`, i), 1)
	var twin any
	if err := json.Unmarshal([]byte(text), &twin); err != nil {
		t.Fatal(err)
	}
	return twin
}

// dull is a record: made, or left as it is.
func dull(i, k int) any {
	name := fmt.Sprintf("r%d_%d", i, k)
	actions, before := []any{"create"}, any(nil)
	if k%2 == 1 {
		actions, before = []any{"no-op"}, map[string]any{"name": name}
	}
	return map[string]any{
		"address": "aws_route53_record." + name, "mode": "managed", "type": "aws_route53_record", "name": name,
		"provider_name": "registry.terraform.io/hashicorp/aws",
		"change": map[string]any{
			"actions": actions, "before": before, "before_sensitive": false, "after_sensitive": map[string]any{},
			"after":         map[string]any{"name": name, "type": "A", "ttl": 300, "records": []any{"10.0.0.1"}, "zone_id": "Z1"},
			"after_unknown": map[string]any{"id": true, "fqdn": true, "records": []any{false}},
		},
	}
}

// TestTimeGrowsWithThePlan compares plans of 500 and of 2,000 changes, all of them of the fixtures: what walks all changes
// for each change would need sixteen times as long. It takes the processor's time: other programs do not count. How long it
// takes BenchmarkPlan5000 says.
func TestTimeGrowsWithThePlan(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED, NOT TESTED: -short measures nothing")
	}
	j := newJudge(t, Terraform, tagged)
	least := func(n, others int) time.Duration {
		input, best := large(t, n, others), time.Hour
		for range 3 {
			before := cpu(t)
			if _, err := j.said(t.Context(), input); err != nil {
				t.Fatal(err)
			}
			best = min(best, cpu(t)-before)
		}
		return best
	}
	small, big := least(500, 0), least(2000, 0)
	t.Logf("500 changes that rules mind: %v; 2,000: %v", small, big)
	if big > 9*small {
		t.Errorf("four times the changes take %.1f times as long", float64(big)/float64(small))
	}
}

var tagged = map[string]any{"settings": map[string]any{"terraform.required_tags": map[string]any{"tags": []any{"Owner"}}}}

// cpu is the time of the processor that this program has used.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func BenchmarkPlan5000(b *testing.B) {
	for _, others := range []int{0, 9} {
		b.Run(fmt.Sprintf("one in %d", others+1), func(b *testing.B) {
			j := newJudge(b, Terraform, tagged)
			input := large(b, 5000, others)
			before := cpu(b)
			for b.Loop() {
				if _, err := j.said(b.Context(), input); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpu(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
}
