//go:build embedded

package terraform

import _ "embed"

// program is the supervisor by itself, which internal/build puts here.
//
//go:embed supervisor/program
var program []byte
