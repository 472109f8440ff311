// Package policies takes a plan's JSON and answers with a Decision.
//
// The gate here is the simplest policy: what auto_apply lets through without a
// person. It sees plans only; it runs nothing and keeps nothing.
package policies
