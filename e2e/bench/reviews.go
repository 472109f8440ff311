package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mooring-iac/mooring/internal/comment"
)

// What a person waits for the comment on a pull request. Measured is from the arrival of Gitea's webhook at Mooring's door
// to Gitea's answer that the comment with the plans is posted, both seen by relays on loopback, with a server that has
// applied the branch before. Beside it a person's own commands on the same head, in a fresh clone.

// reviewOne: what Mooring itself adds.
func (b *bench) reviewOne(ctx context.Context) error {
	return b.atDesk(ctx, 1, builtIn, func(d *desk) {
		ours, theirs := d.rounds(max(b.rounds, 5))
		over := median(ours) - median(theirs)
		b.figures = append(b.figures, figure{name: "review of 1 workspace, over the bare commands", mooring: both(ours), bare: both(theirs), result: over.Seconds(), bar: 0.4, unit: "s"})
	})
}

func (b *bench) reviewTwenty(ctx context.Context) error {
	return b.atDesk(ctx, 20, builtIn, func(d *desk) { d.compare("review of 20 workspaces", 1.3) })
}

func (b *bench) reviewFifty(ctx context.Context) error {
	return b.atDesk(ctx, 50, builtIn, func(d *desk) {
		d.compare("review of 50 workspaces", 1.3)
		d.secondPushes("a second push to 1 of 50, all of which the pull request touches", all(50))
		d.secondPushes("a second push to the 1 of 50 that the pull request touches", []int{7})
	})
}

func (b *bench) reviewProviders(ctx context.Context) error {
	return b.withMirror(ctx, func(lines ...string) error {
		return b.atDesk(ctx, 20, withProviders, func(d *desk) { d.compare("review of 20 workspaces with providers null, random, local", 1.15) }, lines...)
	})
}

// compare measures pull requests that touch all workspaces beside the bare commands.
func (d *desk) compare(title string, bar float64) {
	ours, theirs := d.rounds(d.b.rounds)
	d.b.figures = append(d.b.figures, figure{name: title, mooring: both(ours), bare: both(theirs), result: median(ours).Seconds() / median(theirs).Seconds(), bar: bar, unit: "×"})
}

func all(n int) []int {
	var which []int
	for i := range n {
		which = append(which, i)
	}
	return which
}

// both is a median, and the least beside it.
func both(took []time.Duration) string {
	return fmt.Sprintf("%s (least %s)", said(median(took)), said(slices.Min(took)))
}

// secondPushes: a pull request that has its plan gets another commit.
func (d *desk) secondPushes(title string, touches []int) {
	var took []time.Duration
	pull := d.propose(touches)
	for range max(d.b.rounds, 5) {
		took = append(took, d.push(pull, []int{7}))
	}
	d.close(pull)
	d.b.figures = append(d.b.figures, figure{name: title, mooring: both(took), result: median(took).Seconds(), bar: 1, unit: "s"})
}

// longTexts: how long the making of a comment takes where Terraform has said very much.
func (b *bench) longTexts(context.Context) error {
	for _, units := range []int{1, 50} {
		r := comment.Report{Marker: "m", Head: strings.Repeat("a", 40), Run: "r1"}
		for i := range units {
			u := comment.Unit{ID: fmt.Sprintf("ws/w%02d", i), Kind: "workspace", Status: "planned", Add: 1}
			var text, diff strings.Builder
			for n := 0; text.Len() < 10<<20/units; n++ {
				fmt.Fprintf(&text, "  + resource \"terraform_data\" \"a%d\" {\n      + input = \"@someone `%d` <b>\"\n    }\n", n, n)
				fmt.Fprintf(&diff, "+ # terraform_data.a%d will be created\n+   input = \"@someone `%d` <b>\"\n", n, n)
			}
			u.Text, u.Diff = text.String(), diff.String()
			r.Units = append(r.Units, u)
		}
		var took []time.Duration
		for range max(b.rounds, 5) {
			began := time.Now()
			if body := comment.Render(r, 65_536); len(body) > 65_536 || !strings.Contains(body, "ws/w00") {
				return fmt.Errorf("a comment of %d bytes", len(body))
			}
			took = append(took, time.Since(began))
		}
		b.figures = append(b.figures, figure{name: fmt.Sprintf("10 MB of plan text of %d units, as long a diff, made a comment", units), mooring: both(took), result: median(took).Seconds(), bar: 0.5, unit: "s"})
	}
	return nil
}
