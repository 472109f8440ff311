package runner

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/forge"
)

// hearReviews takes in what reviewers said, and binds each word to the plan that was
// shown when it was heard first. Mooring's own word is none.
func (v *reviewer) hearReviews(ctx context.Context, id string) error {
	p, err := v.r.pull(v.repo.cfg.Name, id)
	if err != nil {
		return err
	}
	said, err := v.forge.Reviews(ctx, p.number())
	if err != nil {
		return err
	}
	self, err := v.forge.Self(ctx)
	if err != nil {
		return err
	}
	said = slices.DeleteFunc(said, func(r forge.Review) bool { return r.By.ID == self.ID })
	if sameReviews(p.Reviews, said) {
		return nil
	}
	return v.r.changePull(v.repo.cfg.Name, id, func(_ *bbolt.Tx, p *pull) error {
		content := ""
		if p.Plan != nil && p.Plan.Done && p.Plan.Shown {
			content = p.Plan.Content
		}
		now := make([]review, 0, len(said))
		for _, s := range said {
			r := review{By: s.By, Verdict: s.Verdict, Commit: s.Commit, At: s.At, Content: content}
			if i := slices.IndexFunc(p.Reviews, func(old review) bool { return same(old, s) }); i >= 0 {
				r = p.Reviews[i]
			}
			now = append(now, r)
		}
		p.Reviews = now
		return nil
	})
}

func same(old review, s forge.Review) bool {
	return old.By.ID == s.By.ID && old.Verdict == s.Verdict && old.Commit == s.Commit && old.At.Equal(s.At)
}

func sameReviews(known []review, said []forge.Review) bool {
	return slices.EqualFunc(known, said, same)
}

// agreed says who said yes to the plan that is shown, or why nobody's yes counts.
func (v *reviewer) agreed(ctx context.Context, p *pull) (by, why string, err error) {
	all, why, err := v.approvers(ctx, p)
	if err != nil || len(all) == 0 {
		return "", why, err
	}
	return all[len(all)-1].Login, "", nil
}

// yes is a person's, to the plan that is shown.
type yes struct {
	forge.User
	At time.Time
}

// approvers are those who said yes to the plan that is shown, or why nobody's yes counts:
// somebody else than the author, with write access, to this very plan of this head, with
// nobody who may write asking for changes.
func (v *reviewer) approvers(ctx context.Context, p *pull) (all []yes, why string, err error) {
	if p.Plan == nil || !p.Plan.Done || p.Plan.Failed != "" {
		return nil, "there is no plan to say yes to", nil
	}
	why = "nobody but the author has approved it"
	if v.repo.cfg.Policies.SelfApproval {
		why = "nobody has approved it"
	}
	for _, r := range slices.Concat(p.Reviews, p.Yeses) {
		if r.Verdict != forge.Approved && r.Verdict != forge.ChangesRequested || r.By.ID == p.Seen.Author.ID && !v.repo.cfg.Policies.SelfApproval {
			continue
		}
		permission, err := v.forge.Permission(ctx, r.By)
		if err != nil {
			return nil, "", err
		}
		if !counts(permission) {
			continue
		}
		if r.Verdict == forge.ChangesRequested {
			return nil, r.By.Login + " asks for changes", nil
		}
		in, err := v.inOneOf(ctx, v.cfg.Teams.Approve, r.By)
		switch {
		case err != nil:
			return nil, "", err
		case !in:
			why = fmt.Sprintf("the approval of %s does not count: it takes a member of %s", r.By.Login, strings.Join(v.cfg.Teams.Approve, ", "))
		case r.Commit != p.Plan.Head:
			why = fmt.Sprintf("%s approved an older head", r.By.Login)
		case r.Content != p.Plan.Content || p.Plan.Content == "":
			why = fmt.Sprintf("%s approved before this plan was there to be seen", r.By.Login)
		case !slices.ContainsFunc(all, func(y yes) bool { return y.ID == r.By.ID }):
			all = append(all, yes{r.By, r.At})
		}
	}
	return all, why, nil
}

// counts tells whether the word of somebody with a permission does.
func counts(permission forge.Permission) bool { return permission >= forge.Write }
