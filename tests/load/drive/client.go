package drive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/parleyhq/parley/signals"
)

// What an answer may be that is no acknowledgement.
var (
	// ErrStatus says that a webhook was answered with neither 2xx nor 503.
	ErrStatus = errors.New("unexpected answer")
	// ErrMissing says that there is no such conversation, or not yet.
	ErrMissing = errors.New("no such conversation")
)

// Bounds of one request.
const (
	answerPatience = 30 * time.Second
	// pause is how long a webhook waits that was answered with 503.
	pause = 100 * time.Millisecond
	// maxAnswer is in bytes; a conversation's timeline is the longest of them.
	maxAnswer = 8 << 20
)

// Client speaks HTTP with the driven process. It is made to cost little, since
// it shares the machine with what it measures: fasthttp, as the other end.
type Client struct {
	base string
	host *fasthttp.HostClient
}

// NewClient returns a client of base, such as http://127.0.0.1:8080, over at
// most this many connections.
func NewClient(base string, connections int) (*Client, error) {
	parsed, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("read URL: %w", err)
	}

	return &Client{base: base, host: &fasthttp.HostClient{
		Addr:                      parsed.Host,
		MaxConns:                  connections,
		MaxConnWaitTimeout:        answerPatience,
		ReadTimeout:               answerPatience,
		WriteTimeout:              answerPatience,
		MaxResponseBodySize:       maxAnswer,
		MaxIdemponentCallAttempts: 1,
		NoDefaultUserAgentHeader:  true,
	}}, nil
}

// Close gives the idle connections up.
func (c *Client) Close() { c.host.CloseIdleConnections() }

// answer is what the acknowledgement of a webhook says.
type answer struct {
	Accepted   int `json:"accepted"`
	Duplicates int `json:"duplicates"`
}

// post sends one webhook until it is acknowledged and returns how often it was
// put off: a 503 is an answer, too, and the time until the 2xx counts.
func (c *Client) post(ctx context.Context, path string, body []byte) (answer, int, error) {
	for refused := 0; ; refused++ {
		status, text, err := c.do(http.MethodPost, path, body)

		switch {
		case err != nil:
			return answer{}, refused, err
		case status/100 == http.StatusOK/100:
			var said answer
			if err := json.Unmarshal(text, &said); err != nil {
				return answer{}, refused, fmt.Errorf("read answer %q: %w", text, err)
			}

			return said, refused, nil
		case status != http.StatusServiceUnavailable:
			return answer{}, refused, fmt.Errorf("%w %d: %s", ErrStatus, status, text)
		}

		select {
		case <-ctx.Done():
			return answer{}, refused, fmt.Errorf("put off %d times: %w", refused+1, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// Send sends one event of a plan and returns when it did, and how long the
// acknowledgement took.
func (c *Client) Send(ctx context.Context, plan *Plan, conversation, event int) (time.Time, time.Duration, error) {
	begun := time.Now()

	body, err := json.Marshal(plan.Event(conversation, event))
	if err != nil {
		return begun, 0, fmt.Errorf("encode: %w", err)
	}

	_, _, err = c.post(ctx, plan.Path(), body)

	return begun, time.Since(begun), err
}

// Post sends one webhook until it is acknowledged, and returns how often it was
// put off.
func (c *Client) Post(ctx context.Context, path string, body []byte) (int, error) {
	_, refused, err := c.post(ctx, path, body)

	return refused, err
}

// Try sends one webhook once and reports whether it was acknowledged.
func (c *Client) Try(path string, event *signals.Event) bool {
	body, err := json.Marshal(event)
	if err != nil {
		return false
	}

	status, _, err := c.do(http.MethodPost, path, body)

	return err == nil && status/100 == http.StatusOK/100
}

// View reads a conversation; [ErrMissing] if there is none, or if it cannot
// answer for now.
func (c *Client) View(key signals.Key) (signals.View, error) {
	status, body, err := c.do(http.MethodGet, "/v1/conversations/"+key.Source+"/"+url.PathEscape(key.Conversation), nil)
	if err != nil {
		return signals.View{}, err
	}

	if status != http.StatusOK {
		return signals.View{}, fmt.Errorf("%s: %w: %d", key, ErrMissing, status)
	}

	var view signals.View
	if err := json.Unmarshal(body, &view); err != nil {
		return signals.View{}, fmt.Errorf("read the state of %s: %w", key, err)
	}

	return view, nil
}

// Get reads a path; ok is false where the answer is not 200 or there is none.
func (c *Client) Get(path string) (body []byte, ok bool) {
	status, body, err := c.do(http.MethodGet, path, nil)

	return body, err == nil && status == http.StatusOK
}

func (c *Client) do(method, path string, body []byte) (int, []byte, error) {
	request, response := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(request)
	defer fasthttp.ReleaseResponse(response)

	request.SetRequestURI(c.base + path)
	request.Header.SetMethod(method)

	if body != nil {
		request.Header.SetContentType("application/json")
		request.SetBodyRaw(body)
	}

	if err := c.host.Do(request, response); err != nil {
		return 0, nil, fmt.Errorf("%s %s: %w", method, path, err)
	}

	return response.StatusCode(), append([]byte(nil), response.Body()...), nil
}
