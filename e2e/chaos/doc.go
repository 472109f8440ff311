// Command chaos shows through the real binary what Mooring promises about runs: none is lost, doubled or leaked.
//
//	make chaos                                   the long form
//	go run ./e2e/chaos -seed 42                  the same faults again
//	go run ./e2e/chaos -only "kill runner" -rounds 5
//
// Every scenario makes a repository, a data directory and a journal outside of it. Each resource of the repository is an
// effect: a local-exec that writes one line to the journal when it starts and one when it ends. Then processes are killed,
// stopped and raced, files are cut and disks filled, and the journal is replayed against two rules: one holder per
// workspace, each effect once ([replay]).
//
// Nothing here waits by sleeping. It waits for a line in the journal, a process or a file, with a deadline; only the moment
// of a blow is drawn from the seed. What was drawn is told again by the same seed, what the machine makes of it is not.
//
// A scenario that misses leaves its directory behind and says where. The exit code is 0 when nothing missed, else 1.
package main
