package parts

import (
	"context"
	"io"
	"os"
	"path/filepath"
)

const (
	openTofuVersion = "1.12.6"
	openTofuBinary  = "tofu"
)

// openTofuModule repeats what OpenTofu's own go.mod says beside its requirements, since that of a dependency does not count.
const openTofuModule = `module parts

go 1.26.6

godebug (
	tlsmlkem=0
	winsymlink=0
)

require github.com/opentofu/opentofu v` + openTofuVersion + `

replace github.com/hashicorp/hcl/v2 v2.20.1 => github.com/opentofu/hcl/v2 v2.20.2-0.20251021132045-587d123c2828
`

var openTofuPart = part{
	name: "tofu", version: openTofuVersion + "-" + short(openTofuModule),
	about: "OpenTofu " + openTofuVersion + ", which takes about four minutes the first time",
	build: func(ctx context.Context, log io.Writer, dir string) error {
		module := filepath.Join(dir, "module")
		if err := throwAway(module, openTofuModule); err != nil {
			return err
		}
		build := goBuild{
			dir: module, mod: "mod", pkg: "github.com/opentofu/opentofu/cmd/tofu", output: filepath.Join(dir, openTofuBinary),
			ldflags: "-s -w -X github.com/opentofu/opentofu/version.dev=no",
		}
		if err := build.run(ctx, log); err != nil {
			return err
		}
		return os.RemoveAll(module)
	},
}

// OpenTofu returns the path of a real OpenTofu, built from its module.
func OpenTofu(ctx context.Context, log io.Writer) (string, error) {
	dir, err := openTofuPart.ensure(ctx, log)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, openTofuBinary), nil
}
