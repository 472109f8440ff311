package k8s

import (
	"fmt"
	"net/http"

	"k8s.io/client-go/transport"
)

// As is the same cluster as another user sees it: whatever is read or written of objects is read and written with
// that user's rights, and recorded under that name in the cluster's audit log. The credentials need the verb
// impersonate for it. Discovery and schemas, which every user may read, are shared, and so are the TCP
// connections. "" is the cluster with its own credentials.
func (c *Cluster) As(user string) (*Cluster, error) {
	b := c.base
	if user == "" {
		return b, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if as := b.users[user]; as != nil {
		return as, nil
	}
	below := b.client.Transport
	if below == nil {
		below = http.DefaultTransport
	}
	client := *b.client
	client.Transport = transport.NewImpersonatingRoundTripper(transport.ImpersonationConfig{UserName: user}, below)
	as := &Cluster{name: b.name, host: b.host, user: user, base: b, config: b.config, source: b.source, now: b.now, patience: b.patience}
	if err := as.use(&client, b.watches != nil); err != nil {
		return nil, fmt.Errorf("as %s: %w", user, err)
	}
	b.users[user] = as
	return as, nil
}
