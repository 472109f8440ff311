package forge

import (
	"fmt"
	"strconv"

	"code.gitea.io/sdk/gitea"
)

const (
	giteaPage = 50   // the most that a server gives unless it was told otherwise
	maxPages  = 1000 // of any list; a server that has more goes in circles
)

// giteaPages reads a list to its end. Some lists tell that they go on in a Link,
// some only how many there are, and some ignore the page and give all at once. A
// list that grew or shrank meanwhile may have hidden one between two pages, so it is
// read again.
func giteaPages[T any](page func(gitea.ListOptions) ([]T, *gitea.Response, error)) ([]T, error) {
	for again := 0; ; again++ {
		all, moved, err := giteaList(page)
		if err != nil || !moved || again == 3 {
			return all, err
		}
	}
}

func giteaList[T any](page func(gitea.ListOptions) ([]T, *gitea.Response, error)) (all []T, moved bool, err error) {
	total := ""
	for n := 1; n <= maxPages; n++ {
		items, resp, err := page(gitea.ListOptions{Page: n, PageSize: giteaPage})
		if err != nil {
			return nil, false, err
		}
		all = append(all, items...)
		counted := resp.Header.Get("X-Total-Count")
		moved = moved || n > 1 && counted != total
		total = counted
		known, err := strconv.Atoi(total)
		if len(items) == 0 || resp.NextPage == 0 && (err != nil || len(all) >= known) {
			return all, moved, nil
		}
	}
	return nil, false, fmt.Errorf("%w: a list does not end", ErrRefused)
}
