package serverconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
)

// Sandbox says how Terraform is kept apart from the rest of the machine.
type Sandbox struct {
	Mode string // auto, required or off
	// Paths that Terraform may see besides its own, absolute. Read has the mirrors
	// of cli_config as well.
	Read, Write []string
}

var sandboxSchema = attributes("mode", "read", "write")

// sandbox reads both spellings: sandbox = "mode", and the block.
func (d *decoder) sandbox(a *hcl.Attribute, blocks hcl.Blocks) (s Sandbox, listed []item) {
	s.Mode = d.sandboxMode(a)
	b := d.one(blocks)
	at := d.single(b, sandboxSchema)
	switch mode := at["mode"]; {
	case mode != nil && a != nil:
		d.fail(mode.NameRange, "Two sandbox modes", fmt.Sprintf("The mode stands at %s and at %s: keep one of them.", place(a.NameRange), place(mode.NameRange)))
	case mode != nil:
		s.Mode = d.sandboxMode(mode)
	}
	read, write := d.shown(at["read"]), d.shown(at["write"])
	for _, p := range read {
		s.Read = append(s.Read, p.text)
	}
	for _, p := range write {
		s.Write = append(s.Write, p.text)
	}
	listed = slices.Concat(read, write)
	if s.Mode == "off" && len(listed) > 0 {
		d.warn(b.DefRange, "Not used", "The sandbox is off: Terraform sees every path that Mooring's user sees, whatever read and write say.")
	}
	return s, listed
}

// shown is a list of paths, absolute.
func (d *decoder) shown(a *hcl.Attribute) []item {
	var all []item
	for _, p := range d.items(a) {
		if p.text == "" || strings.ContainsFunc(p.text, unicode.IsControl) {
			d.fail(p.at, "Not a path", fmt.Sprintf("%s holds an empty path or one with a control character.", a.Name))
			continue
		}
		all = append(all, item{d.resolve(p.text), p.at})
	}
	return all
}

func (d *decoder) sandboxMode(a *hcl.Attribute) string {
	return d.oneOf(a, "auto", "required", "off")
}

// checkShown refuses listed paths that would undo the sandbox.
func (d *decoder) checkShown(listed []item, c *Config) {
	for _, p := range listed {
		if why := refusal(p.text, c); why != "" {
			d.fail(p.at, "Not for the sandbox", fmt.Sprintf("%s cannot be shown to Terraform: %s. Name the directories below or beside it that Terraform needs.", p.text, why))
			continue
		}
		if _, err := os.Stat(p.text); err != nil {
			remedy := "Make it first, or leave it out"
			if !errors.Is(err, fs.ErrNotExist) {
				remedy = "Let Mooring's user reach it, or leave it out"
			}
			d.fail(p.at, "Path not found", fmt.Sprintf("The sandbox cannot show %s: %v. %s.", p.text, err, remedy))
			continue
		}
		if d.file != "" && within(real(d.file), real(p.text)) {
			d.warn(p.at, "Terraform sees this file", fmt.Sprintf("%s holds %s, so every plan can read it. Keep it elsewhere.", p.text, d.file))
		}
		for _, secret := range d.secretFiles {
			if within(real(secret), real(p.text)) {
				d.warn(p.at, "Terraform sees a secret", fmt.Sprintf("%s holds %s, so every plan can read it. Keep it elsewhere.", p.text, secret))
			}
		}
	}
}

// refusal says why a path is never shown; "" when it may be.
func refusal(path string, c *Config) string {
	path = real(path)
	if path == "/" {
		return "it is everything"
	}
	for _, own := range []string{"/proc", "/sys", "/dev"} {
		if within(path, own) {
			return "the sandbox has its own " + own
		}
	}
	for _, kept := range []struct{ path, what string }{{c.DataDir, "data_dir"}, {c.KeyFile, "key_file"}, {c.Sops.AgeKeyFile, "age_key_file"}} {
		if kept.path == "" {
			continue
		}
		switch own := real(kept.path); {
		case path == own:
			return "it is the " + kept.what
		case within(path, own):
			return fmt.Sprintf("it lies inside the %s (%s)", kept.what, kept.path)
		case within(own, path):
			return fmt.Sprintf("it holds the %s (%s)", kept.what, kept.path)
		}
	}
	return ""
}

// within tells that a path is dir or lies below it. Both are absolute and clean.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// real follows links, so that no link leads around a rule. What does not exist
// yet, such as a data directory before its first use, is named through the part
// of it that does.
func real(path string) string {
	if p, err := filepath.EvalSymlinks(path); err == nil {
		return p
	}
	if dir := filepath.Dir(path); dir != path {
		return filepath.Join(real(dir), filepath.Base(path))
	}
	return path
}
