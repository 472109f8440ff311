package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mooring-iac/mooring/internal/comment"
	"github.com/mooring-iac/mooring/internal/forge"
)

// pull has a pull request write what is live into a unit's files. written is false where that cannot be done: t says why
// then, for an issue.
func (d *remedier) pull(ctx context.Context, s *sight, m *remedy, t *telling) (written bool, err error) {
	if known := s.known[m.Unit]; known == nil || !known.stands() || known.Taken != nil {
		return true, nil // the files are not what was compared: what they come to is seen first
	}
	if stop, err := d.lookAtPull(ctx, m, t.drift); err != nil || stop {
		return true, err
	}
	tree, err := d.repo.mirror.Tree(s.head)
	if err != nil {
		return true, err
	}
	w, err := rewrite(tree, s.graph, t.u, t.records)
	if err != nil {
		return true, err
	}
	if t.left = w.left; len(w.files) == 0 {
		if m.Pull != nil && !m.Pull.Ended {
			if err := d.closePull(ctx, m, "What has drifted now can be written into no file: an issue says why."); err != nil {
				return true, err
			}
		}
		t.why = "nothing of it could be written into a file"
		return false, nil
	}
	err = d.writePull(ctx, s, m, t, w)
	if errors.Is(err, forge.ErrDenied) {
		t.why = "the forge does not let Mooring push a branch, or open a pull request"
		return true, errors.Join(err, d.issue(ctx, m, *t))
	}
	if err != nil {
		return true, err
	}
	return true, d.closeIssue(ctx, m, fmt.Sprintf("Pull request %s writes it into the files.", pullID(m.Pull.Number)))
}

// lookAtPull sees what became of the pull request. stop is true where nothing is to be done about the same drift: a person
// closed or merged it, or works on its branch.
func (d *remedier) lookAtPull(ctx context.Context, m *remedy, driftNow string) (stop bool, err error) {
	p := m.Pull
	if p == nil || p.Number == 0 {
		return false, nil
	}
	if !p.Ended {
		now, err := d.pulls.PullRequest(ctx, p.Number)
		switch {
		case err != nil && !errors.Is(err, forge.ErrNotFound):
			return false, err
		case err == nil && now.State == forge.Open:
			return p.Head != "" && now.Head != p.Head, nil
		}
		p.Ended = true
		if err := d.keep(m); err != nil {
			return false, err
		}
		if err := d.dropBranch(ctx, m); err != nil {
			return false, err
		}
	}
	if p.Drift == driftNow {
		return true, nil
	}
	m.Pull = nil // another drift is worth another one
	return false, nil
}

// writePull brings the branch and the pull request up to date.
func (d *remedier) writePull(ctx context.Context, s *sight, m *remedy, t *telling, w rewritten) error {
	title, body, text := d.pullText(*t, w)
	files, err := digestOf(w.files)
	if err != nil {
		return err
	}
	if p := m.Pull; p != nil && p.Number != 0 && p.Files == files && p.Text == text {
		return nil
	}
	base, err := d.branch(ctx, s)
	if err != nil {
		return err
	}
	if m.Pull == nil {
		m.Pull = &written{}
	}
	if m.Branch = remedyBranch(d.repo.cfg.Name, m.Unit); m.Pull.Number == 0 {
		if err := d.keep(m); err != nil {
			return err
		}
	}
	if m.Pull.Files != files || m.Pull.Number == 0 {
		head, err := d.pulls.Push(ctx, forge.Branch{
			Name: m.Branch, Base: s.head, BaseRef: base, Files: w.files, Message: title + "\n\n" + strings.Join(w.values, "\n") + "\n",
		})
		if err != nil {
			return err
		}
		m.Pull.Files, m.Pull.Head = files, head
		if err := d.keep(m); err != nil {
			return err
		}
	}
	if m.Pull.Number == 0 {
		found, ok, err := d.pulls.FindPull(ctx, m.Branch)
		if err == nil && !ok {
			found, err = d.pulls.OpenPull(ctx, forge.Pull{Head: m.Branch, Base: base, Title: title, Body: body, Labels: d.labels()})
		} else if err == nil {
			err = d.pulls.UpdatePull(ctx, found.Number, title, body)
		}
		if err != nil {
			return err
		}
		m.Pull.Number = found.Number
	} else if err := d.pulls.UpdatePull(ctx, m.Pull.Number, title, body); err != nil {
		return err
	}
	m.Pull.Drift, m.Pull.Text = t.drift, text
	if err := d.keep(m); err != nil {
		return err
	}
	d.repo.reviews.hint() // it is to be planned
	return nil
}

// pullText is what a pull request says; digest is equal as long as that is the same but for links.
func (d *remedier) pullText(t telling, w rewritten) (title, body, digest string) {
	t.records = w.records
	about := d.about(t)
	about.Left = w.left
	title = comment.DriftTitle(t.u.ID, w.records)
	digest = brief(title + "\x00" + comment.DriftPull(about, d.limit))
	about.URL = d.scanPage(t)
	return title, comment.DriftPull(about, d.limit), digest
}

// labels are on a pull request of ours: with one of those that the operator asks for, or it would never be planned.
func (d *remedier) labels() []string {
	ask := d.repo.cfg.Review.Labels
	return append(slices.Clone(driftLabels), ask[:min(1, len(ask))]...)
}

// branch is the name of the branch that the head is on.
func (d *remedier) branch(ctx context.Context, s *sight) (string, error) {
	if s.branch == "" {
		s.branch = d.repo.cfg.Branch
	}
	if s.branch == "" {
		refs, err := d.repo.mirror.Refs(ctx)
		if err != nil {
			return "", err
		}
		s.branch = refs.Head.Branch
	}
	return s.branch, nil
}

// closePull closes what is open, with a last word in place of its text, and deletes the branch.
func (d *remedier) closePull(ctx context.Context, m *remedy, word string) error {
	if p := m.Pull; p != nil && !p.Ended {
		number := p.Number
		if number == 0 { // it was begun, and may be there
			found, ok, err := d.pulls.FindPull(ctx, m.Branch)
			if err != nil {
				return err
			}
			if ok {
				number = found.Number
			}
		}
		if number != 0 {
			if err := d.endPull(ctx, number, word); err != nil && !errors.Is(err, forge.ErrNotFound) {
				return err
			}
		}
	}
	if err := d.dropBranch(ctx, m); err != nil {
		return err
	}
	m.Pull = nil
	return d.keep(m)
}

func (d *remedier) endPull(ctx context.Context, number int, word string) error {
	now, err := d.pulls.PullRequest(ctx, number)
	if err != nil || now.State != forge.Open {
		return err
	}
	if err := d.pulls.UpdatePull(ctx, number, now.Title, word+"\n"); err != nil {
		return err
	}
	return d.pulls.ClosePull(ctx, number)
}

func (d *remedier) dropBranch(ctx context.Context, m *remedy) error {
	if m.Branch == "" {
		return nil
	}
	if err := d.pulls.DeleteBranch(ctx, m.Branch); err != nil && !errors.Is(err, forge.ErrNotFound) {
		return err
	}
	m.Branch = ""
	return d.keep(m)
}

// longestSlug is how much of a unit's id a branch shows.
const longestSlug = 60

// remedyBranch is the name of the branch that a unit's drift is written on.
func remedyBranch(repository, unit string) string {
	slug := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, unit)
	sum := sha256.Sum256([]byte(repository + "\x00" + unit))
	return forge.BranchPrefix + strings.TrimLeft(slug[:min(longestSlug, len(slug))]+"-", "-") + hex.EncodeToString(sum[:4])
}

// digestOf stands for files.
func digestOf(files map[string][]byte) (string, error) {
	text, err := json.Marshal(files) // keys are sorted
	if err != nil {
		return "", err
	}
	return brief(string(text)), nil
}
