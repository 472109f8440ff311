//go:build !embedded

package terraform

// program is nothing where Mooring was built by `go build` alone: then it is its own supervisor.
var program []byte
