package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"github.com/mooring-iac/mooring/locks"
	"github.com/mooring-iac/mooring/runner"
	"github.com/mooring-iac/mooring/runner/drift"
)

// ErrNoServer says that no server answers for a data directory.
var ErrNoServer = errors.New("no server runs")

// Client asks the server of a data directory. It is an Operations.
type Client struct {
	http      *http.Client
	dataDir   string
	sentinels Sentinels
	observe   func(runner.Event)
	server    string // its version
}

// Dial connects to the server of a data directory, or fails with ErrNoServer.
// The observer, which may be nil, gets the events of what the client asks for.
func Dial(dataDir string, sentinels Sentinels, observe func(runner.Event)) (*Client, error) {
	first, err := dial(dataDir)
	if err != nil {
		return nil, err
	}
	_ = first.Close() // it was only to see whether somebody listens
	c := &Client{dataDir: dataDir, sentinels: sentinels, observe: observe}
	c.http = &http.Client{Transport: &http.Transport{
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return dial(dataDir) },
		DisableKeepAlives: true,
	}}
	if c.observe == nil {
		c.observe = func(runner.Event) {}
	}
	return c, nil
}

// ServerVersion is what the server said in its last answer; "" before one.
func (c *Client) ServerVersion() string { return c.server }

func (c *Client) Sync(ctx context.Context, repository string) ([]runner.Run, error) {
	return ask[[]runner.Run](ctx, c, http.MethodPost, "sync", nil, Target{Repository: repository})
}

func (c *Client) Runs(ctx context.Context, q Query) ([]runner.Run, error) {
	return ask[[]runner.Run](ctx, c, http.MethodGet, "runs", url.Values{"repository": {q.Repository}, "limit": {strconv.Itoa(q.Limit)}, "waiting": {strconv.FormatBool(q.Waiting)}, "pull": {strconv.Itoa(q.Pull)}, "branch": {q.Branch}}, nil)
}

func (c *Client) Run(ctx context.Context, id string) (runner.Run, error) {
	return ask[runner.Run](ctx, c, http.MethodGet, "run", url.Values{"id": {id}}, nil)
}

func (c *Client) Decide(ctx context.Context, d Decision) (runner.Run, error) {
	return ask[runner.Run](ctx, c, http.MethodPost, "decide", nil, d)
}

func (c *Client) Cancel(ctx context.Context, of Cancel) (runner.Run, error) {
	return ask[runner.Run](ctx, c, http.MethodPost, "cancel", nil, of)
}

func (c *Client) States(ctx context.Context) ([]runner.KeptState, error) {
	return ask[[]runner.KeptState](ctx, c, http.MethodGet, "states", nil, nil)
}

func (c *Client) PushState(ctx context.Context, t Target) (int, error) {
	return ask[int](ctx, c, http.MethodPost, "push-state", nil, t)
}

func (c *Client) UnlockState(ctx context.Context, l StateLock) error {
	_, err := ask[struct{}](ctx, c, http.MethodPost, "unlock-state", nil, l)
	return err
}

func (c *Client) Locks(ctx context.Context) ([]locks.Lock, error) {
	return ask[[]locks.Lock](ctx, c, http.MethodGet, "locks", nil, nil)
}

func (c *Client) Unlock(ctx context.Context, t Target) (locks.Lock, error) {
	return ask[locks.Lock](ctx, c, http.MethodPost, "unlock", nil, t)
}

func (c *Client) Forget(ctx context.Context, t Target) error {
	_, err := ask[struct{}](ctx, c, http.MethodPost, "forget", nil, t)
	return err
}

func (c *Client) Destroy(ctx context.Context, t Target) (runner.Run, error) {
	return ask[runner.Run](ctx, c, http.MethodPost, "destroy", nil, t)
}

func (c *Client) Scan(ctx context.Context, s Scan) ([]runner.Run, error) {
	return ask[[]runner.Run](ctx, c, http.MethodPost, "scan", nil, s)
}

func (c *Client) Drifts(ctx context.Context, q DriftQuery) ([]drift.Record, error) {
	return ask[[]drift.Record](ctx, c, http.MethodPost, "drifts", nil, q)
}

func (c *Client) Acknowledge(ctx context.Context, a Acknowledgement) ([]drift.Record, error) {
	return ask[[]drift.Record](ctx, c, http.MethodPost, "acknowledge", nil, a)
}

func (c *Client) Collect(ctx context.Context, o runner.CollectOptions) (runner.Collected, error) {
	return ask[runner.Collected](ctx, c, http.MethodPost, "collect", nil, o)
}

func (c *Client) Log(ctx context.Context, id, unit string) (io.ReadCloser, error) {
	resp, err := c.send(ctx, http.MethodGet, "log", url.Values{"id": {id}, "unit": {unit}}, nil)
	if err != nil {
		return nil, err
	}
	if resp.Header.Get("Content-Type") == "application/x-ndjson" {
		_, err := last[struct{}](c, resp)
		return nil, err
	}
	return resp.Body, nil
}

func ask[T any](ctx context.Context, c *Client, method, name string, query url.Values, body any) (T, error) {
	var none T
	resp, err := c.send(ctx, method, name, query, body)
	if err != nil {
		return none, err
	}
	return last[T](c, resp)
}

func (c *Client) send(ctx context.Context, method, name string, query url.Values, body any) (*http.Response, error) {
	var payload bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&payload).Encode(body); err != nil {
			return nil, fmt.Errorf("ask the server to %s: %w", name, err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://mooring"+prefix+name+"?"+query.Encode(), &payload)
	if err != nil {
		return nil, fmt.Errorf("ask the server to %s: %w", name, err)
	}
	token, err := readToken(c.dataDir)
	if err != nil {
		return nil, fmt.Errorf("ask the server to %s: %w", name, err)
	}
	req.Header.Set(tokenHeader, token)
	resp, err := c.http.Do(req)
	if err != nil {
		var address *url.Error // holds an address that means nothing to a person
		if errors.As(err, &address) {
			err = address.Err
		}
		return nil, fmt.Errorf("ask the server: %w", err)
	}
	c.server = resp.Header.Get(versionHeader)
	if resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusMethodNotAllowed {
		_ = resp.Body.Close() // nothing of it is wanted
		return nil, fmt.Errorf("the running server is Mooring %s, which does not know this request: use a mooring of its version, or restart it with this one", c.server)
	}
	return resp, nil
}

// last reads a stream to its result.
func last[T any](c *Client, resp *http.Response) (T, error) {
	defer resp.Body.Close()
	var none T
	dec := json.NewDecoder(resp.Body)
	dec.UseNumber() // values of drifted attributes may be larger than a float holds
	for {
		var m message[T]
		if err := dec.Decode(&m); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = errors.New("it ended before it had answered; what it had begun is in its history: mooring runs")
			}
			return none, fmt.Errorf("ask the server: %w", err)
		}
		if m.Event != nil {
			c.observe(*m.Event)
		}
		if m.End {
			return m.Value, c.sentinels.err(m.Error)
		}
	}
}
