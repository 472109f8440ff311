package workspace

const (
	largestFile   = 16 << 20 // bytes; generated JSON gets large
	deepestFile   = 2000     // brackets
	longestPrefix = 5000     // operators before one term
	mostOperators = 200_000  // in a file, those in its strings too
)

// unreasonable keeps files away that only an attacker writes. hcl's parser and its
// trees go one call deeper for each bracket, prefix operator and operand of a chain,
// and a stack that overflows cannot be recovered: three megabytes of minus signs in
// a pull request would end the server. The counts know nothing of strings and
// comments, and are far above what files of honest repositories hold.
func unreasonable(src []byte) string {
	if len(src) > largestFile {
		return "The file is larger than 16 MiB."
	}
	const tooDeep = "It is nested more deeply than any Terraform file needs."
	depth, prefix, operators := 0, 0, 0
	last := byte(0)
	for _, c := range src {
		switch c {
		case '(', '[', '{':
			depth++
			if last == ']' {
				operators++ // a chain of indexes
			}
			prefix = 0
		case ')', ']', '}':
			depth = max(0, depth-1)
			prefix = 0
		case '!', '-':
			prefix++
		case ' ', '\t', '\r', '\n':
		case '?', '+', '*', '/', '%', '<', '>', '&', '|':
			operators++
			prefix = 0
		default:
			prefix = 0
		}
		if depth > deepestFile || prefix > longestPrefix {
			return tooDeep
		}
		last = c
	}
	if operators > mostOperators {
		return "It has more operators than any Terraform file needs."
	}
	return ""
}
