package dialecttest

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// Decode returns the events of a webhook that must have some.
func Decode(tb testing.TB, d dialect.Dialect, req dialect.Request, src dialect.Source) []signals.Event {
	tb.Helper()

	events, err := d.Decode(req, src)
	require.NoError(tb, err, string(req.Body))
	require.NotEmpty(tb, events)

	return events
}

// One returns the event of a webhook that must have exactly one.
func One(tb testing.TB, d dialect.Dialect, req dialect.Request, src dialect.Source) signals.Event {
	tb.Helper()

	events := Decode(tb, d, req, src)
	require.Len(tb, events, 1)

	return events[0]
}

// Encode returns what an event is written as, of which nothing may come from
// its raw text.
func Encode(tb testing.TB, d dialect.Dialect, event signals.Event) []byte {
	tb.Helper()

	event.Raw = nil

	body, err := d.Encode(event)
	require.NoError(tb, err)

	return body
}

// Sound checks what holds for all events of a fixture that came at received: a
// gateway would hand them on, the archive can show them, and they mean something.
func Sound(tb testing.TB, received time.Time, events ...signals.Event) {
	tb.Helper()

	for i := range events {
		require.True(tb, json.Valid(events[i].Raw))
		require.NoError(tb, events[i].Validate())
		require.True(tb, events[i].Type.Incoming())
		require.NotEqual(tb, signals.Unknown, events[i].Type)
		require.Equal(tb, received, events[i].ReceivedAt)
	}
}

// Bare returns events without their raw text, for a golden file that need not
// repeat the fixture.
func Bare(events ...signals.Event) []signals.Event {
	bare := slices.Clone(events)
	for i := range bare {
		bare[i].Raw = nil
	}

	return bare
}

// Kept returns events after history and archive: through JSON, without raw.
func Kept(tb testing.TB, events ...signals.Event) []signals.Event {
	tb.Helper()

	raw, err := json.Marshal(Bare(events...))
	require.NoError(tb, err)

	var kept []signals.Event

	require.NoError(tb, json.Unmarshal(raw, &kept))

	return kept
}
