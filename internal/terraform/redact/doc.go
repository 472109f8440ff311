// Package redact hides secrets in text: one writer that stands below every place to which
// text goes.
//
// A [Redactor] knows secrets, from a plan ([FromPlan]), from an environment ([FromEnv]) or
// by name. Its [Writer], Text and Error write "(sensitive value)" where one stood, as
// Terraform does.
//
// # What is hidden
//
// A secret of four bytes or more, the space around it not counted, anywhere in the text,
// as part of a word too:
//
//   - as it is; a space, a tab and the end of a line are the same, because Terraform wraps
//     its messages; so are - and +, _ and /, the two alphabets of base64
//   - in quotes: JSON with <, >, & as they are or as \u003c, with characters beyond ASCII
//     as they are or as \u00e9; JSON in JSON; HCL; Go's %q; a shell's single quotes
//   - in base64, padded or not, of it alone, in lines of 64 or 76, or of a longer text that
//     has it, or that has it in JSON. Up to one character at either end then stays, which
//     has up to four bits of the secret
//   - in a URL: query, path, path segment, user and password, encodeURIComponent
//   - in hex, all lower or all upper case, from eight bytes
//   - of a secret of several lines: each line of eight bytes or more, as it is and in
//     quotes, but for the first and last line of PEM
//   - of a secret that is a JSON object or list: each string in it of eight bytes or more
//     and each number of as many digits, in all these forms, but for what every key of a
//     service account has ("googleapis.com")
//
// Secrets that overlap are hidden as one, so that nothing of either is left. A text that
// breaks off in a secret has its end hidden when that is eight bytes or more and two
// thirds of the form or more. What is redacted twice looks as if it were once.
//
// A form is found however the text is cut into writes, and over the ends of lines. A
// Writer holds back no more than the longest form, some 25 kB at most and mostly less
// than a line, so that its memory does not grow with the text. The time does not depend
// on what the text is.
//
// # What is not
//
//   - secrets that nobody added, and what was passed on before they were
//   - secrets shorter than four bytes
//   - other forms: part of a secret, spread (a letter a line), reversed, compressed,
//     encrypted or hashed, base64 of base64, hex with colons, with colours in it, base64
//     in lines of a longer text. Whoever writes Terraform code that wants to print a
//     secret can; against that stands that it does not get the secret
//   - in secrets of 64 KiB or more, and in the longest ones once all together are 256 KiB:
//     hex, URLs, quotes but JSON, and base64 of a longer text
//   - the keys of objects, and true, false and null, which [FromPlan] leaves out
//   - numbers beyond 2^53, unless the plan was read with UseJSONNumber
//   - a sensitive value that is not marked in the plan: a constant in the block of a
//     provider or provisioner, what is ephemeral or write-only, what is known only after
//     the apply
//
// A secret that is a common word is hidden in all places where the word stands.
package redact
