// Package workspace is the repository as Terraform sees it. It knows four nouns.
//
// A Tree is the files of one commit, or of a working copy. A Scanner reads a
// Tree and answers with a Graph: the Units that Mooring plans and applies
// (workspaces and manifest sets) and the Edges that say which waits for which.
// A RootModule is what was learnt from the Terraform files of a workspace: its
// backend, the local modules and files it reaches, what init depends on.
//
// Everything is learnt from the text of the files: nothing is run, and nothing
// outside the Tree is read. What the text alone cannot tell is a Warning with
// its file and line, never a silent gap.
//
// Paths are those of the repository everywhere: relative, with slashes, without
// "./"; the top is ".".
package workspace
