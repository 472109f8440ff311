package runner

import (
	"strings"
	"testing"
)

func TestDiscontinuity(t *testing.T) {
	last := stateMemory{Identity: "s3 acme/net.tfstate", Lineage: "aaa", Serial: 7, Resources: 3}
	tests := []struct {
		name string
		last stateMemory
		now  stateMemory
		want string // "" continues
	}{
		{"first time", stateMemory{}, last, ""},
		{"the same state", last, last, ""},
		{"a later serial", last, stateMemory{Identity: last.Identity, Lineage: "aaa", Serial: 9, Resources: 5}, ""},
		{"everything was destroyed by hand", last, stateMemory{Identity: last.Identity, Lineage: "aaa", Serial: 8}, ""},
		{"another backend", last, stateMemory{Identity: "s3 other/net.tfstate", Lineage: "aaa", Serial: 7, Resources: 3}, "the backend changed from s3 acme/net.tfstate to s3 other/net.tfstate"},
		{"another lineage", last, stateMemory{Identity: last.Identity, Lineage: "bbb", Serial: 7, Resources: 3}, "another lineage: bbb, it was aaa"},
		{"a lower serial", last, stateMemory{Identity: last.Identity, Lineage: "aaa", Serial: 6, Resources: 3}, "went back to serial 6, it was 7"},
		{"the state vanished", last, stateMemory{Identity: last.Identity}, "the state is empty and the last run left 3 resources in it"},
		{"an empty state that was always empty", stateMemory{Identity: last.Identity}, stateMemory{Identity: last.Identity}, ""},
		{"the first state after none", stateMemory{Identity: last.Identity}, last, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := discontinuity(tt.last, tt.now)
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("discontinuity = %q, want %q", got, tt.want)
			}
		})
	}
}
