package dialects_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects"
	"github.com/parleyhq/parley/tests/dialecttest"
)

// The suite that every dialect runs by being in the table. What it must know of
// a platform beside its fixtures stands in platforms; the golden files, and what
// only one platform has, are tested beside each dialect.

const (
	secret = "s3cr3t-of-the-source"
	other  = "s3cr3t-of-somebody-else"
	marker = "x-not-on-any-page"
)

func received() time.Time { return time.Date(2026, 11, 20, 10, 0, 0, 301e6, time.UTC) }

func source(secrets ...string) dialects.Source {
	return dialects.Source{Name: "shop", Secrets: secrets, Zone: time.UTC, RetryWindow: 2 * time.Minute}
}

// everyDialect runs check for each dialect of the table.
func everyDialect(t *testing.T, check func(t *testing.T, d dialects.Dialect, p platform)) {
	t.Helper()

	for name, d := range dialects.Table() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			p, known := platforms()[name]
			require.True(t, known, "a dialect of the table is a platform of this suite")
			check(t, d, p)
		})
	}
}

// everySample runs check for each fixture of each dialect.
func everySample(t *testing.T, check func(t *testing.T, d dialects.Dialect, p platform, s sample)) {
	t.Helper()

	everyDialect(t, func(t *testing.T, d dialects.Dialect, p platform) {
		t.Helper()

		samples := p.samples(t)
		require.GreaterOrEqual(t, len(samples), p.atLeast, "fixtures")

		for _, s := range samples {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				check(t, d, p, s)
			})
		}
	})
}

// accepted is what a gateway does with a webhook, as far as the dialect goes.
func accepted(t *testing.T, d dialects.Dialect, req dialects.Request, src dialects.Source) []signals.Event {
	t.Helper()

	require.NoError(t, d.Verify(req, src))

	events, err := d.Decode(req, src)
	require.NoError(t, err)
	sound(t, events)

	answer := d.Answer(req, src, dialects.Outcome{Accepted: len(events)})
	require.GreaterOrEqual(t, answer.Status, 200)
	require.Less(t, answer.Status, 300)

	return events
}

// sound checks what holds for the events of every webhook.
func sound(t *testing.T, events []signals.Event) {
	t.Helper()

	ids := make(map[string]bool, len(events))

	for i := range events {
		event := &events[i]
		require.NoError(t, event.Validate())
		require.True(t, event.Type.Incoming())
		require.Equal(t, "shop", event.Source)
		require.Equal(t, received(), event.ReceivedAt)
		require.False(t, ids[event.ID], "an id tells one event")
		require.Zero(t, event.Seq)
		require.Empty(t, event.Inbox)
		require.Zero(t, event.Session)

		if len(event.Raw) > 0 {
			require.True(t, json.Valid(event.Raw))
		}

		ids[event.ID] = true
	}

	// What is accepted can be kept and read again.
	kept, err := json.Marshal(events)
	require.NoError(t, err)

	var again []signals.Event

	require.NoError(t, json.Unmarshal(kept, &again))
	require.Len(t, again, len(events))
}

// refused checks that a webhook is not accepted, and returns its answer.
func refused(t *testing.T, d dialects.Dialect, req dialects.Request, src dialects.Source) dialects.Response {
	t.Helper()

	err := d.Verify(req, src)
	if err == nil {
		var events []signals.Event

		events, err = d.Decode(req, src)
		require.Error(t, err)
		require.Empty(t, events, "nothing is half accepted")
	}

	answer := d.Refuse(req, err)
	require.GreaterOrEqual(t, answer.Status, 400)
	require.Less(t, answer.Status, 500)
	require.NotContains(t, string(answer.Body), secret)

	return answer
}

func TestFixturesAreAccepted(t *testing.T) {
	t.Parallel()

	everySample(t, func(t *testing.T, d dialects.Dialect, p platform, s sample) {
		t.Helper()
		require.NotEmpty(t, accepted(t, d, s.req, source()), "without secrets everybody is let in")

		if s.unsigned {
			require.Equal(t, s.refused, refused(t, d, p.signed(s.req, secret), source(secret)).Status)

			return
		}

		for _, secrets := range [][]string{{secret}, {other, secret}, {"", secret, other}} {
			events := accepted(t, d, p.signed(s.req, secret), source(secrets...))

			for i := range events {
				require.NotEqual(t, signals.Unknown, events[i].Type)
				noSecrets(t, d, events[i])
			}
		}
	})
}

// noSecrets looks for credentials in all that is stored and sent.
func noSecrets(t *testing.T, d dialects.Dialect, event signals.Event) {
	t.Helper()
	require.NotEmpty(t, event.Raw, "the archive shows what came")

	kept, err := json.Marshal(event)
	require.NoError(t, err)

	encoded, err := d.Encode(event)
	if err != nil {
		require.ErrorIs(t, err, dialects.ErrNotEncodable)
	}

	for _, text := range []string{string(kept), string(encoded)} {
		require.NotContains(t, text, secret)
		require.NotContains(t, text, customerFields)
	}
}

func TestForgeriesAreRefused(t *testing.T) {
	t.Parallel()

	everySample(t, func(t *testing.T, d dialects.Dialect, p platform, s sample) {
		t.Helper()

		for name, forged := range map[string]struct {
			req     dialects.Request
			secrets []string
		}{
			"wrong secret":        {p.signed(s.req, other), []string{secret}},
			"no credential":       {s.req, []string{secret}},
			"empty secret":        {p.signed(s.req, ""), []string{""}},
			"no header":           {dialects.Request{Method: s.req.Method, Path: s.req.Path, Body: s.req.Body}, []string{secret}},
			"beginning of secret": {p.signed(s.req, secret[:len(secret)-1]), []string{secret}},
		} {
			require.Equal(t, s.refused, refused(t, d, forged.req, source(forged.secrets...)).Status, name)
		}

		if p.signature && !s.unsigned {
			changed := p.signed(s.req, secret)
			changed.Body = []byte(strings.Replace(string(changed.Body), "{", `{"`+marker+`":1,`, 1))
			require.Equal(t, s.refused, refused(t, d, changed, source(secret)).Status, "body changed after it was signed")
		}
	})
}

func TestTruncatedBodiesAreRefused(t *testing.T) {
	t.Parallel()

	everySample(t, func(t *testing.T, d dialects.Dialect, p platform, s sample) {
		t.Helper()

		body := strings.TrimSpace(string(s.req.Body))

		for _, size := range []int{1, len(body) / 4, len(body) / 2, len(body) - 1} {
			if size < 1 || len(body) < 3 { // a call without a body, or an empty one
				continue
			}

			cut := s.req
			cut.Body = []byte(body[:size])
			refused(t, d, cut, source())

			whole := p.signed(s.req, secret)
			whole.Body = cut.Body
			refused(t, d, whole, source(secret))
			refused(t, d, p.signed(cut, secret), source(secret))
		}
	})
}

func TestTheSameBodyGivesTheSameIDs(t *testing.T) {
	t.Parallel()

	everySample(t, func(t *testing.T, d dialects.Dialect, _ platform, s sample) {
		t.Helper()

		first, later := s.req, s.req
		later.ReceivedAt = received().Add(90 * time.Second)
		later.Header = s.req.Header.Clone()

		require.Equal(t, idsOf(t, d, first), idsOf(t, d, later))
	})
}

func idsOf(t *testing.T, d dialects.Dialect, req dialects.Request) []string {
	t.Helper()

	events, err := d.Decode(req, source())
	require.NoError(t, err)

	ids := make([]string, 0, len(events))

	for i := range events {
		ids = append(ids, events[i].Conversation+" "+events[i].ID)
	}

	return ids
}

func TestUnknownEventsAreKept(t *testing.T) {
	t.Parallel()

	everyDialect(t, func(t *testing.T, d dialects.Dialect, p platform) {
		t.Helper()

		for _, secrets := range [][]string{nil, {secret}} {
			req := p.unknown
			if secrets != nil {
				req = p.signed(req, secret)
			}

			events := accepted(t, d, req, source(secrets...))
			require.Len(t, events, 1)
			require.Equal(t, signals.Unknown, events[0].Type)
			require.Contains(t, string(events[0].Raw), marker)
			require.Contains(t, events[0].Platform.Event, "later")
			noSecrets(t, d, events[0])
		}
	})
}

func TestUnknownFieldsAreKept(t *testing.T) {
	t.Parallel()

	everySample(t, func(t *testing.T, d dialects.Dialect, _ platform, s sample) {
		t.Helper()

		body, ok := parsed(s.req.Body).(map[string]any)
		if !ok || len(body) == 0 || body["events"] != nil { // an array or a batch: its elements stand alone elsewhere
			return
		}

		body[marker] = map[string]any{"a": []any{1, nil}}

		plain := accepted(t, d, s.req, source())
		more := accepted(t, d, with(s.req, body), source())
		require.Len(t, more, len(plain))

		stored, err := json.Marshal(more)
		require.NoError(t, err)
		require.Contains(t, string(stored), marker)

		for i := range more {
			require.Equal(t, plain[i].Type, more[i].Type)
			require.Equal(t, plain[i].Conversation, more[i].Conversation)
			require.Equal(t, plain[i].Actor, more[i].Actor)
		}
	})
}

// What an event is written as does not come from its raw text, survives being
// kept, and is read back as what it was.
func TestEncodedEventsAreReadBack(t *testing.T) {
	t.Parallel()

	everySample(t, func(t *testing.T, d dialects.Dialect, _ platform, s sample) {
		t.Helper()

		events := accepted(t, d, s.req, source())
		words := 0

		for i := range events {
			// What a webhook tells beside its event need not have a word of its own.
			body, err := d.Encode(events[i])
			if err != nil {
				require.ErrorIs(t, err, dialects.ErrNotEncodable)

				continue
			}

			words++

			require.Equal(t, normal(parsed(body)), normal(parsed(encoded(t, d, dialecttest.Kept(t, events[i])[0]))))
		}

		require.Positive(t, words)

		if len(events) != 1 || len(s.req.Body) == 0 {
			return
		}

		again := s.req
		again.Body = encoded(t, d, events[0])
		back := accepted(t, d, again, source())
		require.Len(t, back, 1)
		require.Equal(t, events[0].Type, back[0].Type)
		require.Equal(t, events[0].Conversation, back[0].Conversation)
		require.Equal(t, normal(parsed(again.Body)), normal(parsed(encoded(t, d, back[0]))))
	})
}

// normal drops what is empty, which is as if it were absent.
func normal(tree any) any {
	switch v := tree.(type) {
	case map[string]any:
		out := map[string]any{}

		for key, value := range v {
			if n := normal(value); n != nil {
				out[key] = n
			}
		}

		if len(out) > 0 {
			return out
		}
	case []any:
		out := make([]any, 0, len(v))
		for _, value := range v {
			out = append(out, normal(value))
		}

		if len(out) > 0 {
			return out
		}
	default:
		if v != "" {
			return v
		}
	}

	return nil
}

func encoded(t *testing.T, d dialects.Dialect, event signals.Event) []byte {
	t.Helper()

	body, err := d.Encode(event)
	require.NoError(t, err)

	return body
}

func TestFailuresAskForARepeat(t *testing.T) {
	t.Parallel()

	everySample(t, func(t *testing.T, d dialects.Dialect, _ platform, s sample) {
		t.Helper()

		cause := errors.New("disk of mine")

		for _, answer := range []dialects.Response{
			d.Answer(s.req, source(), dialects.Outcome{Err: cause}), d.Refuse(s.req, cause),
		} {
			require.GreaterOrEqual(t, answer.Status, http.StatusInternalServerError)
			require.NotContains(t, string(answer.Body), cause.Error())
		}
	})
}
