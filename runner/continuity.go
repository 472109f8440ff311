package runner

import "fmt"

// discontinuity says why the state that a plan was made from is not the one the
// last run left, or "" where it continues it. With a fresh TF_DATA_DIR or a
// changed backend Terraform plans to create everything again, as plain
// additions: only memory can tell.
func discontinuity(last, now stateMemory) string {
	switch {
	case last == stateMemory{}:
		return "" // the first time this workspace is seen
	case now.Identity != last.Identity:
		return fmt.Sprintf("the backend changed from %s to %s", orUnknown(last.Identity), orUnknown(now.Identity))
	case last.Resources > 0 && now.Resources == 0 && now.Lineage == "":
		return fmt.Sprintf("the state is empty and the last run left %s in it", count(last.Resources, "resource"))
	case last.Lineage != "" && now.Lineage != last.Lineage:
		return fmt.Sprintf("the state has another lineage: %s, it was %s", orNone(now.Lineage), last.Lineage)
	case now.Serial < last.Serial:
		return fmt.Sprintf("the state went back to serial %d, it was %d", now.Serial, last.Serial)
	}
	return ""
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// orUnknown names a place of state that the repository's text does not tell.
func orUnknown(identity string) string {
	if identity == "" {
		return "one that the files do not name"
	}
	return identity
}

// count writes "1 resource", "2 resources".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
