// Package forge speaks with the place where people review: Gitea (and Forgejo),
// GitHub and GitLab, each through its maintained Go client.
//
// A Forge is one repository on one of them. It answers in this package's own
// words, so that nobody else has to know how three servers name the same thing:
// a merge request is a PullRequest, a note is a Comment. What a forge answers is
// what it says now; nothing is decided from a webhook, which only tells that it
// is worth asking.
package forge
