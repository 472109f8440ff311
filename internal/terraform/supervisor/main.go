// Command supervisor is the supervisor of Terraform runs as a program of its own, which Mooring carries inside where it was
// built with internal/build. Mooring itself can be one, too, and takes three times as long to start: 300 packages are
// initialised for nothing.
package main

import (
	"fmt"
	"os"

	_ "github.com/mooring-iac/mooring/internal/terraform" // is a supervisor where the arguments say so
)

func main() {
	fmt.Fprintln(os.Stderr, "mooring: this supervises Terraform for Mooring, which starts it")
	os.Exit(2)
}
