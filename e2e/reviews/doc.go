// Package reviews tries `mooring serve` as a child process beside a real Gitea, with people who open, push, comment, merge
// and close pull requests, while webhooks come twice, late or not at all, the forge answers with errors, and Mooring is
// killed in the middle of everything. What it looks at is what people see: comments, statuses, locks, pages, and a journal
// that applies write into.
//
// The tests run short. MOORING_REVIEWS_FULL=1 runs them with the counts that are promised: it takes about 20 minutes.
package reviews
