package gitea

import (
	"net/http"
	"time"
)

// Review is what a person said of a pull request.
type Review struct {
	ID        int64   `json:"id"`
	By        Account `json:"user"`
	State     string  `json:"state"` // APPROVED, REQUEST_CHANGES, COMMENT
	Commit    string  `json:"commit_id"`
	Stale     bool    `json:"stale"`
	Dismissed bool    `json:"dismissed"`
}

// Approve approves the head that the pull request has now.
func (p *Pull) Approve(by *Account) Review {
	p.repo.server.t.Helper()
	return p.review(by, "APPROVED", "")
}

// RequestChanges says that the pull request must not be merged as it is.
func (p *Pull) RequestChanges(by *Account, why string) Review {
	p.repo.server.t.Helper()
	return p.review(by, "REQUEST_CHANGES", why)
}

func (p *Pull) review(by *Account, event, body string) Review {
	p.repo.server.t.Helper()
	var made Review
	p.repo.server.Call(by, http.MethodPost, p.api("reviews"), map[string]any{"event": event, "body": body}, &made)
	return made
}

// Dismiss takes a review back.
func (p *Pull) Dismiss(by *Account, review Review, why string) {
	p.repo.server.t.Helper()
	p.repo.server.Call(by, http.MethodPost, p.api("reviews", review.ID, "dismissals"), map[string]any{"message": why}, nil)
}

// Reviews are all reviews, in the order they were made.
func (p *Pull) Reviews() []Review {
	p.repo.server.t.Helper()
	return pages[Review](p.repo.server, p.repo.owner, p.api("reviews"), "")
}

// Comment is a comment of a pull request's conversation.
type Comment struct {
	ID      int64     `json:"id"`
	By      Account   `json:"user"`
	Body    string    `json:"body"`
	Created time.Time `json:"created_at"`
	Updated time.Time `json:"updated_at"`
}

// Comment says something.
func (p *Pull) Comment(by *Account, body string) Comment {
	p.repo.server.t.Helper()
	var made Comment
	p.repo.server.Call(by, http.MethodPost, p.issue("comments"), map[string]any{"body": body}, &made)
	return made
}

// EditComment gives a comment other words.
func (p *Pull) EditComment(by *Account, comment Comment, body string) {
	p.repo.server.t.Helper()
	p.repo.server.Call(by, http.MethodPatch, p.repo.api("issues", "comments", comment.ID), map[string]any{"body": body}, nil)
}

// DeleteComment takes a comment away.
func (p *Pull) DeleteComment(by *Account, comment Comment) {
	p.repo.server.t.Helper()
	p.repo.server.Call(by, http.MethodDelete, p.repo.api("issues", "comments", comment.ID), nil, nil)
}

// Comments are all comments, oldest first.
func (p *Pull) Comments() []Comment {
	p.repo.server.t.Helper()
	var all []Comment
	p.repo.server.Call(p.repo.owner, http.MethodGet, p.issue("comments"), nil, &all) // Gitea gives them all at once
	return all
}

// Reactions are the reactions to a comment: login by emoji's name, such as "eyes".
func (p *Pull) Reactions(comment Comment) map[string][]string {
	p.repo.server.t.Helper()
	var all []struct {
		By      Account `json:"user"`
		Content string  `json:"content"`
	}
	p.repo.server.Call(p.repo.owner, http.MethodGet, p.repo.api("issues", "comments", comment.ID, "reactions"), nil, &all)
	by := map[string][]string{}
	for _, reaction := range all {
		by[reaction.Content] = append(by[reaction.Content], reaction.By.Login)
	}
	return by
}

// Render is what Gitea makes of a comment's Markdown: HTML.
func (s *Server) Render(by *Account, markdown string, in *Repo) string {
	s.t.Helper()
	var rendered []byte
	s.Call(by, http.MethodPost, "markdown", map[string]any{"Text": markdown, "Mode": "comment", "Context": in.FullName()}, &rendered)
	return string(rendered)
}
