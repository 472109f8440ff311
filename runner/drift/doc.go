// Package drift knows what drift is, when to look for it and what is new about it.
//
// Drift is what differs from the commit that was converged last, without a commit that explains it. The package touches
// nothing: it takes plans, objects, records and the time as values and says what follows. Reading the world, keeping
// records and telling people is its callers'.
//
//   - finding.go: what one scan finds of one resource or object; fingerprint.go: what it is recognised by; severity.go: how
//     grave it is; line.go: how it is said in one line;
//   - terraform.go, kubernetes.go: findings from a plan, and from a comparison with a cluster. Of a plan: attributes.go
//     compares objects, split.go and relevant.go tell drift from noise, unexplained.go and follow.go are about the rest;
//   - ignore.go: what a repository's rules leave out, with a reason and an end;
//   - group.go: drifts with the same cause, in whatever units;
//   - ledger.go: what is known and what a scan found, taken together: what began, changed, ended, and is to be told;
//   - schedule.go, queue.go: when a unit is due, and which of the due ones may begin.
package drift
