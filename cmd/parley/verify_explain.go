package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects"
	"github.com/parleyhq/parley/signals/dialects/parley"
	"github.com/parleyhq/parley/webhooks"
	"github.com/parleyhq/parley/workflows/policy"
)

// Bounds of what is quoted of a webhook.
const (
	maxQuoted = 80
	maxKeys   = 12
)

// steps says what the request is, where the credential was looked for and which
// secret fits, and returns why none does.
func steps(source *webhooks.Source, req *dialects.Request) ([]string, error) {
	count := len(source.Secrets)
	spoken := source.Dialect.Name()
	place, headers := credentialPlace(spoken, source.Source, req.Body)

	lines := []string{
		line("source", "%s speaks %s and has %s", source.Name, spoken, counted(count, "secret")),
		line("request", "%s %s, %d bytes", req.Method, harmless(webhooksPath+source.Name+req.Path), len(req.Body)),
		line("body", "%s", describe(spoken, req)),
		line("looked for", "%s", place),
	}

	for _, name := range headers {
		state := "missing"
		if value := req.Header.Get(name); value != "" {
			state = fmt.Sprintf("%d bytes", len(value))
		}

		lines = append(lines, line("", "header %s: %s", strings.ToLower(name), state))
	}

	err := source.Dialect.Verify(*req, source.Source)

	switch {
	case err != nil:
		lines = append(lines, line("verified", "FAIL: %s", harmless(err.Error())))

		for _, hint := range hints(source, req) {
			lines = append(lines, line("", "%s", hint))
		}
	case count == 0:
		lines = append(lines, line("verified", "not needed: the source has no secrets, its webhooks are accepted from this machine only"))
	default:
		lines = append(lines, line("verified", "ok: secret %d of %d fits", fitting(source, req), count))
	}

	return lines, err
}

// fitting is the number, from 1, of the secret that verifies a request; 0 if
// none does.
func fitting(source *webhooks.Source, req *dialects.Request) int {
	alone := source.Source

	for i, secret := range source.Secrets {
		alone.Secrets = []string{secret}

		if source.Dialect.Verify(*req, alone) == nil {
			return i + 1
		}
	}

	return 0
}

// hints say what would have verified.
func hints(source *webhooks.Source, req *dialects.Request) []string {
	var out []string

	for _, other := range []struct {
		what string
		body []byte
	}{
		{"the signature is over the body without the blanks at its end: give the bytes as they came", bytes.TrimRight(req.Body, " \r\n\t")},
		{"the signature is over the body with a line end after it: give the bytes as they came", append(bytes.Clone(req.Body), '\n')},
		{"the signature is over the body in another layout: give the bytes as they came", compacted(req.Body)},
	} {
		changed := *req
		changed.Body = other.body

		if fits := fitting(source, &changed); fits > 0 {
			out = append(out, fmt.Sprintf("secret %d fits, but %s", fits, other.what))

			break
		}
	}

	if source.Dialect.Name() == parley.Name {
		out = append(out, staleness(source, req)...)
	}

	if source.Dialect.Name() == policy.DialectInbenta && req.Header.Get(inbentaHandshake) != "" && req.Header.Get(inbentaSignature) == "" {
		out = append(out, "this is the handshake with which Inbenta sets a webhook up, and no event")
	}

	if len(out) == 0 {
		out = append(out, fmt.Sprintf("none of %s fits; headers given: %s", counted(len(source.Secrets), "secret"), headerNames(req.Header)))
	}

	return out
}

// staleness says whether a Standard Webhooks signature is right but its time is
// not.
func staleness(source *webhooks.Source, req *dialects.Request) []string {
	seconds, err := strconv.ParseInt(req.Header.Get(standardwebhooks.HeaderWebhookTimestamp), 10, 64)
	if err != nil {
		return nil
	}

	then := *req
	then.ReceivedAt = time.Unix(seconds, 0)

	fits := fitting(source, &then)
	if fits == 0 {
		return nil
	}

	return []string{fmt.Sprintf("secret %d fits, but the timestamp is %s off, and at most %s are allowed: a repetition must be signed anew",
		fits, req.ReceivedAt.Sub(then.ReceivedAt).Abs().Round(time.Second), parley.Tolerance)}
}

func compacted(body []byte) []byte {
	var out bytes.Buffer

	if json.Compact(&out, body) != nil {
		return body
	}

	return out.Bytes()
}

func headerNames(header http.Header) string {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(header)), func(name string) bool { return name == "Content-Type" })
	if len(names) == 0 {
		return "none"
	}

	return quoted(strings.Join(names, ", "))
}

func quoted(text string) string { return harmless(signals.Cut(text, maxQuoted)) }

// counted puts a number before a word, which has its plural with an s.
func counted(number int, word string) string {
	if number == 1 {
		return "1 " + word
	}

	return fmt.Sprintf("%d %ss", number, word)
}

// describe says what a body was recognised as.
func describe(spoken string, req *dialects.Request) string {
	if spoken == policy.DialectPypestream {
		return "a call by its method and path; the body is " + kindOf(req.Body)
	}

	var top map[string]json.RawMessage

	if json.Unmarshal(req.Body, &top) != nil || top == nil {
		return kindOf(req.Body)
	}

	said := func(key string) string {
		var value string

		if json.Unmarshal(top[key], &value) != nil {
			return "(none)"
		}

		return strconv.Quote(signals.Cut(value, maxQuoted))
	}

	switch spoken {
	case policy.DialectLiveChat:
		if liveChatEnvelope(req.Body) {
			return fmt.Sprintf("LiveChat's %s with action %s", liveChatForm(top), said("action"))
		}

		if _, app := top["applicationID"]; app {
			return "LiveChat's webhook about an application, event " + said("event")
		}

		return "LiveChat's bare payload, whose event is the path: " + strconv.Quote(signals.Cut(req.Path, maxQuoted)) + "; " + kindOf(req.Body)
	case policy.DialectInbenta:
		return "Inbenta's envelope with trigger " + said("trigger")
	case policy.DialectAcquire, policy.DialectTWT:
		return "an envelope with event " + said("event")
	case policy.DialectParley:
		if _, one := top["type"]; !one && top["events"] != nil {
			return "a list of Parley's events"
		}

		return "one of Parley's events, type " + said("type")
	default:
		return kindOf(req.Body)
	}
}

// liveChatForm tells the envelopes apart by their keys.
func liveChatForm(top map[string]json.RawMessage) string {
	switch {
	case top["payload"] == nil:
		return "envelope with data (3.0)"
	case top["organization_id"] != nil:
		return "envelope with payload and organization_id (3.4 or later)"
	case top["license_id"] != nil:
		return "envelope with payload and license_id (3.2 or 3.3)"
	default:
		return "envelope with payload (3.1)"
	}
}

// kindOf describes a body by its form.
func kindOf(body []byte) string {
	var (
		object map[string]json.RawMessage
		list   []json.RawMessage
		syntax *json.SyntaxError
	)

	err := json.Unmarshal(body, &object)

	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return "empty"
	case errors.As(err, &syntax):
		return fmt.Sprintf("no JSON: %s at byte %d", quoted(syntax.Error()), syntax.Offset)
	case err == nil && object != nil:
		keys := slices.Sorted(maps.Keys(object))

		return fmt.Sprintf("a JSON object with %s: %s", counted(len(keys), "key"), quoted(strings.Join(keys[:min(len(keys), maxKeys)], ", ")))
	case json.Unmarshal(body, &list) == nil && list != nil:
		return fmt.Sprintf("a JSON array with %s", counted(len(list), "element"))
	default:
		return "JSON, but neither an object nor an array"
	}
}
