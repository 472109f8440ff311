// Package charts fetches packed Helm charts from web servers and OCI registries.
//
// A Ref names a chart and the sha256 of its archive; an Allowlist says from where charts may come; a Store fetches what
// both agree on, checks the content before anybody opens it, and keeps it under its digest. Nothing here opens an archive.
package charts
