package redact

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// slow hides forms by looking for each at each place, to compare with.
func slow(secrets []string, text string) string {
	folded := func(s string) string {
		b := []byte(s)
		for i, c := range b {
			b[i] = fold[c]
		}
		return string(b)
	}
	var forms []string
	for _, s := range secrets {
		forms = append(forms, formsOf(s, true)...)
	}
	if len(forms) > 0 {
		forms = append(forms, hidden)
	}
	in := folded(text)
	inside := make([]bool, len(text)+1) // that i-1 and i belong to one secret
	cover := make([]bool, len(text))
	for _, f := range forms {
		f = folded(f)
		for at := 0; ; at++ {
			i := strings.Index(in[at:], f)
			if i < 0 {
				break
			}
			at += i
			for j := at; j < at+len(f); j++ {
				cover[j] = true
				inside[j] = inside[j] || j > at
			}
		}
	}
	var b strings.Builder
	for i := range len(text) {
		if !cover[i] {
			b.WriteByte(text[i])
		} else if !inside[i] {
			b.WriteString(hidden)
		}
	}
	return b.String()
}

// scene is secrets and a text that has them, in forms, whole, in part, side by side and
// one over the other.
func scene(r *rand.Rand) (secrets []string, text string) {
	alphabets := []string{"ab", "abc\n ", "abcdefghij0123456789", "a\"\\<ö\n${'+/=", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
	random := func(n int) string {
		letters := []rune(alphabets[r.IntN(len(alphabets))])
		var b strings.Builder
		for range n {
			b.WriteRune(letters[r.IntN(len(letters))])
		}
		return b.String()
	}
	for range 1 + r.IntN(5) {
		s := random(1 + r.IntN(40))
		if len(secrets) > 0 && r.IntN(3) == 0 { // overlaps one that there is
			other := secrets[r.IntN(len(secrets))]
			s = other[r.IntN(len(other)):] + s
		}
		secrets = append(secrets, s)
	}
	var b strings.Builder
	for range r.IntN(30) {
		s := secrets[r.IntN(len(secrets))]
		forms := append(formsOf(s, true), s)
		form := forms[r.IntN(len(forms))]
		switch r.IntN(6) {
		case 0:
			b.WriteString(random(r.IntN(20)))
		case 1:
			b.WriteString(form[:r.IntN(len(form))])
		case 2:
			b.WriteString(form[r.IntN(len(form)):])
		case 3:
			b.WriteString(hidden[:r.IntN(len(hidden)+1)])
		default:
			b.WriteString(form)
		}
	}
	// Its own end, so that nothing is cut off: that is hidden too, but slow does not know.
	return secrets, b.String() + "~~~~~~~~~~~~"
}

func chunked(r *rand.Rand, w io.Writer, text string) error {
	for len(text) > 0 {
		n := 1 + r.IntN(min(len(text), 1+r.IntN(50)))
		if _, err := io.WriteString(w, text[:n]); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

// TestWriterIsText compares, for random secrets and random chunks, the writer, Text of
// the whole, and the slow way.
func TestWriterIsText(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for i := range 600 {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		secrets, text := scene(r)
		red := New(secrets...)
		var out bytes.Buffer
		w := red.Writer(&out)
		if err := chunked(r, w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		want := slow(secrets, text)
		if got := red.Text(text); got != want {
			t.Fatalf("round %d: secrets %q\ntext %q\n got %q\nwant %q", i, secrets, text, got, want)
		}
		if out.String() != want {
			t.Fatalf("round %d: secrets %q\ntext %q\nwriter %q\n  want %q", i, secrets, text, out.String(), want)
		}
		noneLeft(t, secrets, want)
	}
}

// noneLeft: what stands between the marks has no form of a secret.
func noneLeft(t *testing.T, secrets []string, out string) {
	t.Helper()
	for _, s := range secrets {
		for _, f := range formsOf(s, true) {
			for between := range strings.SplitSeq(out, hidden) {
				if strings.Contains(between, f) {
					t.Fatalf("%q of %q is left in %q", f, s, out)
				}
			}
		}
	}
}

func FuzzWriter(f *testing.F) {
	f.Add("hunter2-is-long", "abcd", "x hunter2-is-long abcd aHVudGVyMi1pcy1sb25n", uint16(3))
	f.Add("aaaa", "aab\naab\n", "aaaaaab\naab\naaab\n", uint16(1))
	f.Fuzz(func(t *testing.T, a, b, text string, n uint16) {
		text += "~~~~~~~~~~~~"
		var out bytes.Buffer
		w := New(a, b).Writer(&out)
		if err := chunked(rand.New(rand.NewPCG(1, uint64(n))), w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		forms := append(formsOf(a, true), formsOf(b, true)...)
		if m := newMatcher(forms); m.cutOff(ended(m, text)) > 0 {
			t.Skip("the end is most of a secret: slow does not know that")
		}
		if want := slow([]string{a, b}, text); out.String() != want {
			t.Fatalf("secrets %q %q\ntext %q\n got %q\nwant %q", a, b, text, out.String(), want)
		}
	})
}

func ended(m *matcher, text string) (n int32) {
	for i := range len(text) {
		n = m.step(n, text[i])
	}
	return n
}

// TestLinesPassAtOnce: a line that cannot be the beginning of a secret is not held back.
func TestLinesPassAtOnce(t *testing.T) {
	var out bytes.Buffer
	w := New("hunter2", pem).Writer(&out)
	fmt.Fprintf(w, "Plan: 1 to add\nhunt")
	if got := out.String(); got != "Plan: 1 to add\n" {
		t.Errorf("passed on: %q", got)
	}
	fmt.Fprintf(w, "\n")
	if got := out.String(); got != "Plan: 1 to add\nhunt\n" {
		t.Errorf("passed on: %q", got)
	}
	// A secret of several lines, a line a write, is one secret.
	for line := range strings.Lines("key:\n" + pem + "end\n") {
		fmt.Fprint(w, line)
	}
	if got, want := out.String(), "Plan: 1 to add\nhunt\nkey:\n(sensitive value)\nend\n"; got != want {
		t.Errorf("passed on: %q, want %q", got, want)
	}
}

// TestAddWhileWriting: a secret added later is hidden from what was not passed on.
func TestAddWhileWriting(t *testing.T) {
	var out bytes.Buffer
	r := New("hunter2-is-long")
	w := r.Writer(&out)
	fmt.Fprint(w, "a hunter2-is")
	r.Add("ter2-isolated", "nter2")
	fmt.Fprint(w, "olated b")
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "a hu(sensitive value) b"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestFlushWithin: what goes on after a flush is hidden from there, and most of a secret
// is hidden at the flush.
func TestFlushWithin(t *testing.T) {
	for head, want := range map[string]string{
		"a hunt":           "a hunt(sensitive value) b",
		"a hunter2-is-lon": "a (sensitive value) b",
	} {
		var out bytes.Buffer
		w := New("hunter2-is-long").Writer(&out)
		fmt.Fprint(w, head)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, "hunter2-is-long"[len(head)-2:]+" b")
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("%q: %q, want %q", head, out.String(), want)
		}
	}
}

// TestLongLine: of a line of 5 MB no more is held than a form is long, and a piece.
func TestLongLine(t *testing.T) {
	r := New("hunter2-is-long", "aaaa", pem)
	for _, unit := range []string{"no line ends here", "a", "hunter2-is-lon"} {
		w := r.Writer(io.Discard)
		p := []byte(strings.Repeat(unit, 5<<20/len(unit)))
		for len(p) > 0 {
			n := min(len(p), 1<<20)
			if _, err := w.Write(p[:n]); err != nil {
				t.Fatal(err)
			}
			p = p[n:]
			if len(w.held) > longest(r) {
				t.Fatalf("%q: %d bytes held", unit, len(w.held))
			}
		}
		if most := 2 * (piece + longest(r)); cap(w.held) > most {
			t.Errorf("%q: room for %d bytes, more than %d", unit, cap(w.held), most)
		}
	}
}

type failing struct{ n int }

func (f failing) Write(p []byte) (int, error) {
	if f.n < 0 {
		return 0, fs.ErrClosed
	}
	return min(len(p), f.n), nil
}

func TestWriteFails(t *testing.T) {
	if _, err := New().Writer(failing{-1}).Write([]byte("abc")); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := New().Writer(failing{1}).Write([]byte("abc")); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("short: %v", err)
	}
	w := New("abcdef").Writer(failing{-1})
	if n, err := w.Write([]byte("abc")); n != 3 || err != nil {
		t.Errorf("held back: %d, %v", n, err)
	}
	if err := w.Flush(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("flush: %v", err)
	}
}

// TestConcurrent is for the race detector; that no write is torn is seen too.
func TestConcurrent(t *testing.T) {
	var out bytes.Buffer
	r := New("first-secret")
	w := r.Writer(&out)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 100 {
				secret := fmt.Sprintf("secret-%d-%d-x", i, j/20)
				r.Add(secret)
				fmt.Fprintf(w, "<%s first-secret>\n", secret)
				if got := r.Text(secret); got != hidden {
					t.Errorf("%q", got)
				}
				r.Secrets()
			}
		})
	}
	wg.Wait()
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), strings.Repeat("<"+hidden+" "+hidden+">\n", 800); got != want {
		t.Errorf("%.300q", got)
	}
}
