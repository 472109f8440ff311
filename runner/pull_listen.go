package runner

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/comment"
	"github.com/mooring-iac/mooring/internal/forge"
)

// listen does what people typed below a pull request since it was listened to last.
// What a command does and that it was heard is one transaction: it is done once.
func (v *reviewer) listen(ctx context.Context, id string) error {
	p, err := v.r.pull(v.repo.cfg.Name, id)
	if err != nil {
		return err
	}
	comments, err := v.forge.Comments(ctx, p.number(), p.Heard)
	if err != nil {
		return fmt.Errorf("read its comments: %w", err)
	}
	return v.listenTo(ctx, id, comments)
}

// listenTo does what comments say, the oldest first; those that were heard before say
// nothing new.
func (v *reviewer) listenTo(ctx context.Context, id string, comments []forge.Comment) error {
	p, err := v.r.pull(v.repo.cfg.Name, id)
	if err != nil {
		return err
	}
	self, err := v.forge.Self(ctx)
	if err != nil {
		return fmt.Errorf("ask who I am: %w", err)
	}
	for _, c := range comments {
		if c.By.ID == self.ID || c.ID <= p.Heard {
			continue
		}
		cmd, ours, wrong := comment.Parse(c.Body)
		if !ours {
			continue
		}
		if err := v.obey(ctx, id, c, cmd, wrong); err != nil {
			return fmt.Errorf("comment %d: %w", c.ID, err)
		}
	}
	if n := len(comments); n > 0 && comments[n-1].ID > p.Heard {
		return v.r.changePull(v.repo.cfg.Name, id, func(_ *bbolt.Tx, p *pull) error {
			p.Heard = max(p.Heard, comments[n-1].ID)
			return nil
		})
	}
	return nil
}

// obey carries out one command. Who may is asked of the forge now; what cannot be
// asked is not done, and heard again at the next look.
func (v *reviewer) obey(ctx context.Context, id string, c forge.Comment, cmd comment.Command, wrong error) error {
	permission, err := v.forge.Permission(ctx, c.By)
	if err != nil {
		return err
	}
	a := answering{v: v, c: c}
	switch {
	case permission < forge.Read:
		return v.heard(id, c, nil) // a stranger gets no answer: whatever they type costs nobody anything
	case wrong != nil:
		return v.heard(id, c, a.say(wrong.Error()))
	case cmd.Verb == comment.VerbHelp:
		return v.heard(id, c, a.say(comment.Help()))
	}
	if why, err := v.mayNot(ctx, c.By, permission, cmd.Verb); err != nil || why != "" {
		if err != nil {
			return err
		}
		return v.heard(id, c, a.say(why))
	}
	v.r.opts.Log.Info("a command in a pull request", "repository", v.repo.cfg.Name, "pull_request", id, "command", cmd.Verb, "units", cmd.Units, "by", c.By.Login, "user", c.By.ID)
	switch cmd.Verb {
	case comment.VerbPlan:
		return v.heard(id, c, a.do(func(tx *bbolt.Tx, p *pull) string { return v.wishPlan(tx, p, c.By, cmd.Units) }))
	case comment.VerbApply:
		return v.applyAsked(ctx, id, c, cmd.Units)
	case comment.VerbApprove, comment.VerbDiscard:
		return v.decideAsked(ctx, id, c, cmd)
	case comment.VerbCancel:
		return v.cancelAsked(ctx, id, c)
	case comment.VerbUnlock:
		if v.applying(id) {
			return v.heard(id, c, a.say("it is being applied: `mooring cancel` first"))
		}
		v.stop(id, "an unlock by "+c.By.Login)
		return v.heard(id, c, func(tx *bbolt.Tx, p *pull) error {
			if beingApplied(tx, p) {
				return v.answer(tx, p, c, "it is being applied: `mooring cancel` first")
			}
			return v.unlockPull(tx, p, c.By.Login)
		})
	}
	return v.heard(id, c, a.say("this version does not know `mooring "+string(cmd.Verb)+"`"))
}

// mayNot says why a person may not give a command, or "".
func (v *reviewer) mayNot(ctx context.Context, by forge.User, permission forge.Permission, verb comment.Verb) (string, error) {
	if !counts(permission) {
		return fmt.Sprintf("`mooring %s` needs write access to the repository", verb), nil
	}
	teams := map[comment.Verb][]string{comment.VerbApply: v.cfg.Teams.Apply, comment.VerbUnlock: v.cfg.Teams.Apply, comment.VerbCancel: v.cfg.Teams.Apply, comment.VerbApprove: v.cfg.Teams.Approve, comment.VerbDiscard: v.cfg.Teams.Approve}[verb]
	in, err := v.inOneOf(ctx, teams, by)
	if err != nil || in {
		return "", err
	}
	return fmt.Sprintf("`mooring %s` is for members of %s here", verb, strings.Join(teams, ", ")), nil
}

// inOneOf tells whether a person is in one of the teams; everybody is where none is
// named. A team that cannot be found has no members.
func (v *reviewer) inOneOf(ctx context.Context, teams []string, by forge.User) (bool, error) {
	for _, team := range teams {
		in, err := v.forge.InTeam(ctx, team, by)
		if errors.Is(err, forge.ErrNotFound) {
			v.r.opts.Log.Warn("a team of the configuration is not known to the forge", "repository", v.repo.cfg.Name, "team", team)
			continue
		}
		if err != nil || in {
			return in, err
		}
	}
	return len(teams) == 0, nil
}

// answering is what becomes of a command: something done, and a word to the person
// where one is due.
type answering struct {
	v *reviewer
	c forge.Comment
}

type effect func(tx *bbolt.Tx, p *pull) error

// say answers.
func (a answering) say(text string) effect {
	return func(tx *bbolt.Tx, p *pull) error { return a.v.answer(tx, p, a.c, text) }
}

// do does something and answers what it says, if it says anything.
func (a answering) do(f func(tx *bbolt.Tx, p *pull) string) effect {
	return func(tx *bbolt.Tx, p *pull) error {
		text := f(tx, p)
		if text == "" {
			return nil
		}
		return a.v.answer(tx, p, a.c, text)
	}
}

// heard records that a comment was listened to, with what follows from it, and lets
// its author see that.
func (v *reviewer) heard(id string, c forge.Comment, what effect) error {
	err := v.r.changePull(v.repo.cfg.Name, id, func(tx *bbolt.Tx, p *pull) error {
		if p.Heard >= c.ID {
			return nil
		}
		p.Heard = c.ID
		if what == nil {
			return nil
		}
		if err := v.r.put(tx, p.Repository, "react "+strconv.FormatInt(c.ID, 10), note{Pull: p.ID, Comment: c.ID, React: forge.Seen}); err != nil {
			return err
		}
		return what(tx, p)
	})
	v.tell()
	return err
}

// answer has something said below a pull request, once for each comment.
func (v *reviewer) answer(tx *bbolt.Tx, p *pull, c forge.Comment, text string) error {
	marker := comment.Marker("answer", v.repo.cfg.Name, p.number(), strconv.FormatInt(c.ID, 10))
	return v.r.put(tx, p.Repository, "answer "+strconv.FormatInt(c.ID, 10), note{Pull: p.ID, Comment: c.ID, Answer: text, Marker: marker})
}

// wishPlan asks for a new plan of the head as it is now. It also lets the head of a
// fork run: who may write here has looked at it.
func (v *reviewer) wishPlan(tx *bbolt.Tx, p *pull, by forge.User, units []string) string {
	if p.Seen.Fork {
		if v.cfg.NoForks {
			return "nothing of a fork is run here"
		}
		if p.Plan == nil || p.Plan.Head != p.Seen.Head || !p.Plan.Shown {
			// A head that came after the word, or just before it, is not the one that was looked at.
			return fmt.Sprintf("its head is %s now, which had not been shown here when this was typed: look at it, and type it again", short(p.Seen.Head))
		}
		p.Allowed = p.Seen.Head
	}
	if why := v.cfg.excludes(p.Seen); why != "" {
		return "it is not planned: " + why
	}
	if p.Applied != "" && v.beforeMerge() {
		return "what was planned is applied already, or on its way: merge it, or push"
	}
	if why := unplannedUnit(tx, p, units); why != "" {
		return why
	}
	p.Again, p.Only, p.Stop = by.Login, units, ""
	return ""
}

// unplannedUnit says of the first name that the last plan of this head has no unit of it.
func unplannedUnit(tx *bbolt.Tx, p *pull, units []string) string {
	run, err := getRun(tx, runOf(p))
	if err != nil || !p.planned() {
		return "" // all are planned then
	}
	for _, id := range units {
		if run.Unit(id) == nil {
			return fmt.Sprintf("the plan has no unit %q", id)
		}
	}
	return ""
}

// cancelAsked ends what runs for a pull request.
func (v *reviewer) cancelAsked(ctx context.Context, id string, c forge.Comment) error {
	a := answering{v: v, c: c}
	p, err := v.r.pull(v.repo.cfg.Name, id)
	if err != nil {
		return err
	}
	for _, run := range []string{p.Applied, runOf(p)} {
		if run == "" {
			continue
		}
		got, err := v.r.Show(run)
		if err != nil || got.Finished != nil {
			continue
		}
		if _, err := v.r.Cancel(ctx, run, c.By.Login); err != nil && !errors.Is(err, ErrNothingRuns) {
			return err
		}
		return v.heard(id, c, a.do(func(*bbolt.Tx, *pull) string { return "" }))
	}
	return v.heard(id, c, a.say("nothing of it runs"))
}

func runOf(p *pull) string {
	if p.Plan == nil {
		return ""
	}
	return p.Plan.Run
}
