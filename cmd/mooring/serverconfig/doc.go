// Package serverconfig reads server.hcl, the operator's file: where Mooring
// keeps its data, which repositories it follows, and with whose credentials.
//
// Load reports every problem of the file at once, as HCL diagnostics with file,
// line and snippet. A secret's value never stands in one: values come only from
// env("NAME") and file("path"), and the source that diagnostics quote is masked
// wherever somebody may have written a secret in the clear.
package serverconfig
