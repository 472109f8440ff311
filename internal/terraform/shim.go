package terraform

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// shimText stands between terraform-exec and the tool. It is fixed text: which tool, and what it answers, lie in files beside it.
//
// Why it exists. terraform-exec starts `terraform version -json` once for every instance, 45 ms each, which is as much as a plan of a
// small workspace; the shim answers from a file in 1 ms. And terraform-exec has no option for init's -lockfile=readonly and refuses the
// variable that would add it; the shim adds it when told so. It is a shell script because Mooring itself takes ten times as long to start.
// Its process becomes the tool's by exec, so signals, process group and parent are as without it; its process id, which terraform-exec does
// not tell, goes to the supervisor first.
const shimText = `#!/bin/sh
# Written by Mooring: answers "version -json" from a file, and else becomes the tool beside it. See internal/terraform/shim.go.
here="${0%/*}"
{ echo $$ >&4; } 2>/dev/null
exec 4>&-
if [ "$#" -eq 2 ] && [ "$1" = version ] && [ "$2" = -json ]; then
	while IFS= read -r line; do
		printf '%s\n' "$line"
	done <"$here/version.json"
	exit 0
fi
if [ "$1" = init ] && [ "$MOORING_LOCKFILE" = readonly ]; then
	unset MOORING_LOCKFILE
	shift
	set -- init -lockfile=readonly "$@"
fi
exec "$here/tool/${0##*/}" "$@"
`

const shimLockfile = "MOORING_LOCKFILE"

// shim returns the executable for terraform-exec; without a /bin/sh that is the tool itself.
func (h *Home) shim(tool Tool) (executable string, isShim bool, err error) {
	if info, err := os.Stat("/bin/sh"); err != nil || !info.Mode().IsRegular() || tool.Version == "" || tool.Digest == "" {
		return tool.Path, false, nil
	}
	dir := filepath.Join(h.shims, hashName(tool.Name, shimText, tool.Path, tool.Digest, tool.Version))
	executable = filepath.Join(dir, tool.Name)
	h.shimMu.Lock()
	defer h.shimMu.Unlock()
	if _, err := os.Stat(executable); err == nil {
		return executable, true, nil
	}
	answer, err := json.Marshal(map[string]any{"terraform_version": tool.Version, "provider_selections": map[string]string{}})
	if err != nil {
		return "", false, err
	}
	// The script comes last: where it is, the rest is.
	err = os.MkdirAll(filepath.Join(dir, "tool"), 0o700)
	if err == nil {
		err = writeFile(filepath.Join(dir, "version.json"), append(answer, '\n'), 0o400)
	}
	if err == nil {
		err = ensureLink(filepath.Join(dir, "tool", tool.Name), tool.Path)
	}
	if err == nil {
		err = writeExecutable(executable, []byte(shimText), 0o500)
	}
	if err != nil {
		return "", false, fmt.Errorf("write shim of %s: %w", tool.Name, err)
	}
	return executable, true, nil
}
