// Package web is what Mooring offers over HTTP: whether it is alive, whether it
// is ready, its metrics, pages of its runs for those who know the password, and a
// place where forges leave their webhooks. All that it answers is plain text.
package web
