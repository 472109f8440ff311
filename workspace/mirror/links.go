package mirror

import "strings"

// maxHops bounds how many symlinks one resolution may pass. No reader follows
// as many (Linux gives up at 40): what goes on longer leads nowhere.
const maxHops = 1000

// leaves says whether the symlink at path, in a tree whose symlinks are links
// (path to target), leads out of the tree: by an absolute target, by climbing
// above the root, or through other symlinks. What does not exist is taken for
// a directory, for it may come to exist.
func leaves(path string, links map[string]string) bool {
	at := strings.Split(path, "/")
	at = at[:len(at)-1] // the directory that holds the link
	target := links[path]
	if strings.HasPrefix(target, "/") {
		return true
	}
	todo := strings.Split(target, "/")
	for hops := 0; len(todo) > 0; {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if len(at) == 0 {
				return true
			}
			at = at[:len(at)-1]
			continue
		}
		// A copy, for at may share its array with an earlier state.
		next := append(append(make([]string, 0, len(at)+1), at...), part)
		via, isLink := links[strings.Join(next, "/")]
		if !isLink {
			at = next
			continue
		}
		if strings.HasPrefix(via, "/") {
			return true
		}
		if hops++; hops > maxHops {
			return false
		}
		todo = append(strings.Split(via, "/"), todo...)
	}
	return false
}
