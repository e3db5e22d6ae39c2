package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/parleyhq/parley/signals/dialects"
	"github.com/parleyhq/parley/signals/spelling"
	"github.com/parleyhq/parley/webhooks"
	"github.com/parleyhq/parley/workflows/policy"
)

const (
	// sendPatience is how long an answer may take.
	sendPatience = 30 * time.Second
	// maxAnswerBytes bounds what is shown of an answer.
	maxAnswerBytes = 64 << 10
	// addrVariable is where the gateway of this machine listens, defaultAddr
	// where it does without that.
	addrVariable = "PARLEY_HTTP_ADDR"
	defaultAddr  = "127.0.0.1:8080"
	// webhooksPath comes before the source's name.
	webhooksPath = "/webhooks/"
)

var (
	errNoSource = errors.New("no source is called")
	errURL      = errors.New("--url must be an address such as http://127.0.0.1:8080")
	errBeyond   = errors.New("is not on this machine; say where to send with --url")
	errNoAnswer = errors.New("no answer; is Parley running there?")
	errPath     = errors.New("--path must be a path such as /incoming_event")
	errNeedPath = errors.New("--path is needed on this platform, such as /contactCenter/v1/conversations/ID/end")
)

// configuredSource returns a source of the configuration by its name.
func configuredSource(name string, lookup lookupEnv) (*webhooks.Source, error) {
	file, err := findConfigFile(lookup)
	if err != nil {
		return nil, err
	}

	book, err := file.Book(false)
	if err != nil {
		return nil, err
	}

	sources, err := edgeSources(book, file.sources != nil)
	if err != nil {
		return nil, err
	}

	names := make([]string, 0, len(sources))

	for i := range sources {
		if sources[i].Name == name {
			return &sources[i], nil
		}

		names = append(names, sources[i].Name)
	}

	return nil, fmt.Errorf("%w %q%s", errNoSource, name, spelling.Suggest(name, names))
}

// gatewayURL returns the address to send to: what was said, or the gateway of
// this machine. A secret may go with what is sent, so that anything else must
// be said.
func gatewayURL(said string, lookup lookupEnv) (*url.URL, error) {
	if said != "" {
		base, err := url.Parse(said)
		if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.RawQuery != "" || base.User != nil {
			return nil, errURL
		}

		base.Path, base.RawPath, base.Fragment = strings.TrimSuffix(base.Path, "/"), "", ""

		return base, nil
	}

	addr, _ := lookup(addrVariable)

	host, port, err := net.SplitHostPort(cmp.Or(addr, defaultAddr))
	if err != nil {
		return nil, fmt.Errorf("%s %w", addrVariable, errBeyond)
	}

	ip, err := netip.ParseAddr(host)

	switch {
	case host == "", err == nil && ip.IsUnspecified():
		host = "127.0.0.1"
	case host != "localhost" && (err != nil || !ip.IsLoopback()):
		return nil, fmt.Errorf("%s=%s %w", addrVariable, addr, errBeyond)
	}

	return &url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}, nil
}

// webhookRequest makes the request as the platform would, not signed yet. event
// is the name of the file or sample, which tells the path where nothing else
// does.
func webhookRequest(source *webhooks.Source, path, event string, body []byte, now time.Time) (dialects.Request, error) {
	req := dialects.Request{
		Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json"}}, Body: body, ReceivedAt: now.UTC(),
	}

	calls := source.Dialect.Name() == policy.DialectPypestream
	if calls && path == "" {
		path = pypestreamPath(event)
		if path == "" {
			return req, errNeedPath
		}
	}

	if path != "" {
		parsed, err := url.Parse("/" + strings.TrimPrefix(path, "/"))
		if err != nil || parsed.Host != "" || parsed.Fragment != "" {
			return req, errPath
		}

		req.Path, req.RawPath, req.Query = parsed.Path, parsed.RawPath, parsed.Query()
	}

	if calls {
		req.Method = pypestreamMethod(req.Path, body)
	}

	return req, nil
}

// pypestreamPath is the path of a call by the name of its sample.
func pypestreamPath(event string) string {
	const base, one = "/contactCenter/v1/", "conversations/sample/"

	switch strings.ToLower(event) {
	case "escalate", "type", "end":
		return base + one + strings.ToLower(event)
	case "message":
		return base + one + "messages/m-1"
	case "agents-availability":
		return base + "agents/availability"
	case "agents-waittime":
		return base + "agents/waitTime"
	default:
		return ""
	}
}

// pypestreamMethod is that of the contract. Questions come as GET unless they
// have a body.
func pypestreamMethod(path string, body []byte) string {
	lower := strings.ToLower(path)

	switch {
	case strings.Contains(lower, "/messages/"):
		return http.MethodPut
	case strings.Contains(lower, "/agents/") && len(bytes.TrimSpace(body)) == 0:
		return http.MethodGet
	default:
		return http.MethodPost
	}
}

// webhookURL is where a request goes.
func webhookURL(base *url.URL, source string, req *dialects.Request) string {
	target := *base
	target.RawPath = target.EscapedPath() + webhooksPath + source + req.EscapedPath()
	target.Path += webhooksPath + source + req.Path
	target.RawQuery = req.Query.Encode()

	return target.String()
}

// answerStatus is an answer's status line.
type answerStatus struct {
	code int
	text string
}

func (s answerStatus) good() bool {
	return s.code >= http.StatusOK && s.code < http.StatusMultipleChoices
}

// post sends the request. It follows no redirect, which would carry the
// credential to somebody else.
func post(ctx context.Context, target string, req *dialects.Request) (answerStatus, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, sendPatience)
	defer cancel()

	out, err := http.NewRequestWithContext(ctx, req.Method, target, bytes.NewReader(req.Body))
	if err != nil {
		return answerStatus{}, nil, fmt.Errorf("send: %w", err)
	}

	maps.Copy(out.Header, req.Header)

	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

	answer, err := client.Do(out)
	if err != nil {
		return answerStatus{}, nil, fmt.Errorf("send: %w (%w)", errNoAnswer, err)
	}

	defer answer.Body.Close()

	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswerBytes))
	if err != nil {
		return answerStatus{}, nil, fmt.Errorf("read the answer: %w", err)
	}

	return answerStatus{code: answer.StatusCode, text: answer.Status}, body, nil
}

// conversationPaths are the API's paths of the conversations that a webhook is
// about.
func conversationPaths(source *webhooks.Source, req *dialects.Request) []string {
	events, err := source.Dialect.Decode(*req, source.Source)
	if err != nil { // the gateway has said so already
		return nil
	}

	paths := []string{}

	for i := range events {
		if id := events[i].Conversation; id != "" {
			paths = append(paths, "/v1/conversations/"+source.Name+"/"+url.PathEscape(id))
		}
	}

	slices.Sort(paths)

	return slices.Compact(paths)
}

// harmless makes a foreign text safe for a terminal.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}

		return unicode.ReplacementChar
	}, text)
}
