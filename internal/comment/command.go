package comment

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/agext/levenshtein"
)

// Verb is what a person asks for.
type Verb string

// The verbs.
const (
	VerbPlan    Verb = "plan"
	VerbApply   Verb = "apply"
	VerbApprove Verb = "approve"
	VerbDiscard Verb = "discard"
	VerbUnlock  Verb = "unlock"
	VerbCancel  Verb = "cancel"
	VerbHelp    Verb = "help"
)

// Verbs are all of them.
func Verbs() []Verb {
	return []Verb{VerbPlan, VerbApply, VerbApprove, VerbDiscard, VerbUnlock, VerbCancel, VerbHelp}
}

// Command is what somebody typed. No units means all of them.
type Command struct {
	Verb  Verb
	Units []string
}

// What a command line may hold at most.
const (
	mostUnits   = 50
	longestUnit = 512
	longestLine = 8 << 10
)

// Parse reads the first line of a comment. It is a command when its first word is
// "mooring", at its very beginning: ok tells that. What follows must be right to
// the last letter, or the error says what is wrong with it, in words that Answer
// can carry. Nothing of a comment is ever handed on as it stands: a verb is one of
// ours, and a unit is at most a name to look for.
func Parse(body string) (cmd Command, ok bool, err error) {
	line := body
	if i := strings.IndexAny(line, "\r\n"); i >= 0 {
		line = line[:i]
	}
	rest, ours := strings.CutPrefix(line, "mooring")
	if !ours || rest != "" && !endsWord(rest) {
		return Command{}, false, nil
	}
	if len(line) > longestLine {
		return Command{}, true, fmt.Errorf("the command is longer than %d bytes: %s", longestLine, seeHelp)
	}
	args, err := split(rest)
	if err != nil {
		return Command{}, true, err
	}
	if len(args) == 0 {
		return Command{}, true, fmt.Errorf("`mooring` alone asks for nothing: %s", seeHelp)
	}
	if args[0].quoted {
		return Command{}, true, fmt.Errorf("a verb stands without quotes: %s", seeHelp)
	}
	cmd.Verb = Verb(strings.ToLower(args[0].text))
	if !slices.Contains(Verbs(), cmd.Verb) {
		return Command{}, true, unknown(args[0].text)
	}
	for _, a := range args[1:] {
		if err := checkUnit(a); err != nil {
			return Command{}, true, err
		}
		if !slices.Contains(cmd.Units, a.text) {
			cmd.Units = append(cmd.Units, a.text)
		}
	}
	if len(cmd.Units) > mostUnits {
		return Command{}, true, fmt.Errorf("a command names at most %d units; without names it is for all: `mooring %s`", mostUnits, cmd.Verb)
	}
	return cmd, true, nil
}

const seeHelp = "`mooring help` says what may be typed"

// endsWord reports whether a word ends here. What cannot be seen ends it too: such
// a line means us, and is refused for the character.
func endsWord(rest string) bool {
	for _, r := range rest {
		return r == ' ' || r == '\t' || dangerous(r)
	}
	return true
}

type argument struct {
	text   string
	quoted bool
}

// split takes a line apart at its spaces. Double quotes hold one name together;
// there is no other quoting.
func split(line string) ([]argument, error) {
	var out []argument
	for {
		line = strings.TrimLeft(line, " \t")
		if line == "" {
			return out, nil
		}
		if line[0] != '"' {
			end := strings.IndexAny(line, " \t")
			if end < 0 {
				end = len(line)
			}
			out = append(out, argument{text: line[:end]})
			line = line[end:]
			continue
		}
		end := strings.IndexByte(line[1:], '"')
		if end < 0 {
			return nil, fmt.Errorf("a quote is not closed: %s", shown(line))
		}
		out = append(out, argument{text: line[1 : end+1], quoted: true})
		line = line[end+2:]
		if line != "" && line[0] != ' ' && line[0] != '\t' {
			return nil, fmt.Errorf("a space is missing after the quote, before %s", shown(line))
		}
	}
}

// checkUnit holds a name against what the ids of units are made of. An id may hold
// more than can be typed here; a command without names reaches it.
func checkUnit(a argument) error {
	switch {
	case a.text == "":
		return fmt.Errorf("a unit without a name: %s", seeHelp)
	case len(a.text) > longestUnit:
		return fmt.Errorf("the name of a unit has at most %d bytes: %s", longestUnit, shown(a.text))
	case strings.HasPrefix(a.text, "-"):
		return fmt.Errorf("%s: commands take no flags, only units; %s", shown(a.text), seeHelp)
	case strings.TrimSpace(a.text) != a.text:
		return fmt.Errorf("%s begins or ends with a space", shown(a.text))
	}
	for _, r := range a.text {
		switch {
		case r > unicode.MaxASCII:
			return fmt.Errorf("%s holds %U: units are named here with letters a to z, digits and `. _ - / :`; others are reached by a command without names", shown(a.text), r)
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._-/:", r), r == ' ' && a.quoted:
		default:
			return fmt.Errorf("%s is no name of a unit: those have letters, digits and `. _ - / :`, and spaces in double quotes", shown(a.text))
		}
	}
	return nil
}

func unknown(word string) error {
	if strings.HasPrefix(word, "-") {
		return fmt.Errorf("%s: commands take no flags; %s", shown(word), seeHelp)
	}
	low, best, far := strings.ToLower(clip(word, 40)), Verb(""), 4
	for _, v := range Verbs() {
		d := levenshtein.Distance(low, string(v), nil)
		if len(low) > 1 && strings.HasPrefix(string(v), low) {
			d = 1
		}
		if d < far && d < len(v) {
			best, far = v, d
		}
	}
	if best == "" {
		return fmt.Errorf("%s is no command: %s", shown("mooring "+word), seeHelp)
	}
	return fmt.Errorf("%s is no command: did you mean `mooring %s`? %s", shown("mooring "+word), best, strings.ToUpper(seeHelp[:1])+seeHelp[1:])
}

// shown is what somebody typed, short and harmless, between backticks.
func shown(s string) string {
	return "`" + strings.ReplaceAll(clip(cleanLine(s), 60), "`", "'") + "`"
}
