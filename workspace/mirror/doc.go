// Package mirror keeps a bare copy of one Git repository and gives out what
// Mooring needs of it, without ever starting git.
//
// A Remote says where the repository lives. A Mirror is its copy on disk:
// Poll asks the remote where the branch stands, Refs where all do, Fetch brings a
// commit home. Merge says what the merge of two would give, file by file. A
// Tree reads the files of a commit straight from the mirror. A Checkout is the
// same files as a read-only directory, one a commit, shared by all who ask for
// it and removed when the last of them lets go.
//
// The whole history of the watched branch is fetched, never a shallow part of
// it: a unit is compared with its own last converged commit, which may be any
// number of commits old, and a removed root module is destroyed from the last
// commit that had it.
package mirror
