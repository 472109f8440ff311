package engine

import (
	"bytes"
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/policies"
)

// largePlan is a plan of n changes, with everything that Terraform writes: what is planned, what was, the configuration.
func largePlan(n int) []byte {
	kinds := []string{"aws_instance", "aws_s3_bucket", "aws_security_group_rule", "aws_iam_role", "aws_db_instance", "aws_route53_record", "aws_lambda_function", "aws_subnet"}
	kind := func(i int) string { return kinds[i%len(kinds)] }
	values := func(i int) string {
		return fmt.Sprintf(`{"ami":"ami-%d","arn":"arn:aws:ec2:eu-central-1:123456789012:instance/i-%d","availability_zone":"eu-central-1a","ebs_optimized":true,
"instance_type":"t3.large","monitoring":false,"password":"secret-%d","root_block_device":[{"delete_on_termination":true,"encrypted":%t,"volume_size":%d,"volume_type":"gp3"}],
"security_groups":["sg-%d","sg-%d"],"subnet_id":"subnet-%d","tags":{"Name":"web-%d","env":"production","owner":"team-%d"},"tags_all":{"Name":"web-%d","env":"production","owner":"team-%d"},
"user_data":null,"vpc_security_group_ids":["sg-%d"]}`, i, i, i, i%7 != 0, i%100, i, i+1, i%9, i, i%20, i, i%20, i)
	}
	var b bytes.Buffer
	part := func(each func(i int) string) {
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(each(i))
		}
	}
	b.WriteString(`{"format_version":"1.2","terraform_version":"1.13.0","planned_values":{"root_module":{"resources":[`)
	part(func(i int) string {
		return fmt.Sprintf(`{"address":"%s.web[%d]","mode":"managed","type":%q,"name":"web","index":%d,"values":%s,"sensitive_values":{"password":true}}`, kind(i), i, kind(i), i, values(i))
	})
	b.WriteString(`]}},"resource_changes":[`)
	actions := []string{`["create"]`, `["update"]`, `["no-op"]`, `["delete"]`, `["delete","create"]`}
	part(func(i int) string {
		return fmt.Sprintf(`{"address":"%s.web[%d]","mode":"managed","type":%q,"name":"web","index":%d,"provider_name":"registry.terraform.io/hashicorp/aws",
"change":{"actions":%s,"before":%s,"after":%s,"after_unknown":{"arn":true,"root_block_device":[{}],"tags":{}},"before_sensitive":{"password":true,"tags":{}},"after_sensitive":{"password":true,"tags":{},"root_block_device":[{}]}}}`,
			kind(i), i, kind(i), i, actions[i%len(actions)], values(i), values(i+1))
	})
	b.WriteString(`],"prior_state":{"format_version":"1.0","values":{"root_module":{"resources":[`)
	part(func(i int) string {
		return fmt.Sprintf(`{"address":"%s.web[%d]","mode":"managed","type":%q,"name":"web","index":%d,"values":%s,"sensitive_values":{"password":true}}`, kind(i), i, kind(i), i, values(i))
	})
	b.WriteString(`]}}},"configuration":{"root_module":{"resources":[]}}}`)
	return b.Bytes()
}

// manyRules are n rules, each of which goes through all changes: of one type, of every type, with helpers, with texts.
func manyRules(n int) Source {
	all := map[string]string{"lib.rego": `package lib
import rego.v1
changed contains rc if { some rc in input.resource_changes; rc.change.actions != ["no-op"] }
gone(rc) if "delete" in rc.change.actions
`}
	for i := range n {
		body := []string{
			`some rc in input.resource_changes; rc.type == "aws_instance"; rc.change.after.root_block_device[_].volume_size == 1000 + %d; msg := rc.address`,
			`some rc in input.resource_changes; "delete" in rc.change.actions; rc.change.before.tags.owner == "nobody-%d"; msg := rc.address`,
			`some rc in data.lib.changed; not rc.change.after.tags.env; rc.index == %d; msg := rc.address`,
			`some rc in data.lib.changed; startswith(rc.change.after.instance_type, "x%d"); msg := sprintf("%%s is large", [rc.address])`,
			`some rc in input.resource_changes; rc.type == "aws_redshift_cluster"; data.lib.gone(rc); msg := "%d"`,
		}[i%5]
		all[fmt.Sprintf("r%d.rego", i)] = fmt.Sprintf("package main\nimport rego.v1\ndeny_%d contains msg if { "+body+" }\n", i, i)
	}
	return files(all)
}

// BenchmarkPlan asks 200 rules about a plan of 5,000 changes. It may take 2 s and 300 MB of heap.
func BenchmarkPlan(b *testing.B) {
	plan := largePlan(5000)
	e, err := Load(b.Context(), []Source{manyRules(200)}, Options{Timeout: time.Minute}) // a busy machine is measured to the end
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(plan))/1e6, "MB-plan")
	grown, used := uint64(0), time.Duration(0)
	for b.Loop() {
		b.StopTimer()
		runtime.GC() // what the heap has before is not the plan's
		peak, before := watchHeap(b), cpu(b)
		b.StartTimer()
		v := e.Plan(b.Context(), plan, policies.Facts{})
		used += cpu(b) - before
		grown = max(grown, peak())
		if len(v.Findings) > 0 || v.Rules != 200 {
			b.Fatalf("%d rules, %+v", v.Rules, v.Findings)
		}
	}
	b.ReportMetric(float64(grown)/1e6, "MB-heap")
	b.ReportMetric(used.Seconds()/float64(b.N), "cpu-s/op") // says the same on a busy machine
}

// cpu is the processor time that the process has used.
func cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// watchHeap measures by how much the heap grows until the answer is asked for.
func watchHeap(tb testing.TB) (peak func() uint64) {
	tb.Helper()
	first, most := heap(), uint64(0)
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			if now := heap(); now > first {
				most = max(most, now-first)
			}
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	return func() uint64 {
		close(done)
		watching.Wait()
		return most
	}
}

// BenchmarkManifests asks 200 rules about 500 objects.
func BenchmarkManifests(b *testing.B) {
	all := map[string]string{}
	for i := range 200 {
		all[fmt.Sprintf("r%d.rego", i)] = fmt.Sprintf("package main\ndeny_%d contains input.metadata.name if { some c in input.spec.template.spec.containers; c.name == \"x%d\" }\n", i, i)
	}
	e := load(b, files(all))
	var objects []map[string]any
	for range 500 {
		objects = append(objects, object(b, deployment))
	}
	for b.Loop() {
		if v := e.Manifests(b.Context(), objects, ChangeSet{Name: "web"}, policies.Facts{}); len(v.Findings) > 0 {
			b.Fatalf("%+v", v.Findings)
		}
	}
}

// BenchmarkLoad compiles 200 rules.
func BenchmarkLoad(b *testing.B) {
	s := manyRules(200)
	for b.Loop() {
		load(b, s)
	}
}
