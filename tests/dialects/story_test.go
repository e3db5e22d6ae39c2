package dialects_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects"
	"github.com/parleyhq/parley/workflows/policy"
)

const chatID = "C1"

// story is one conversation in a platform's own webhooks, in order.
type story struct {
	steps []step
	agents,
	bots []string
	// mute are the steps of which the platform does not say when they happened.
	mute []string
	// arrivalOrders are the pairs of them, as the later before the earlier, whose
	// order matters and that nothing but their arrival can tell.
	arrivalOrders []string
	// states are two webhooks without ids of the platform's, the second of which
	// undoes what the first says.
	states []step
}

// step is one webhook, ten seconds after the one before.
type step struct {
	name string
	at   time.Time
	req  dialects.Request
}

func begun() time.Time { return time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC) }

// apart is how long one step comes after another.
const apart = 10 * time.Second

func stories() map[string]func(w *writer) {
	return map[string]func(w *writer){
		"acquire": acquire, "inbenta": inbenta, "livechat": livechat, "parley": parley, "pypestream": pypestream, "twt": twt,
	}
}

// everyStory runs check with the story of each dialect of the table.
func everyStory(t *testing.T, check func(t *testing.T, d dialects.Dialect, s *story)) {
	t.Helper()

	table := dialects.Table()
	require.Len(t, stories(), len(table), "a dialect of the table has a story here")

	for name, d := range table {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			write, known := stories()[name]
			require.True(t, known, "a dialect of the table has a story here")

			w := &writer{TB: t, dialect: name}
			write(w)
			check(t, d, &w.story)
		})
	}
}

// writer makes a story out of a dialect's fixtures.
type writer struct {
	testing.TB
	story

	dialect string
}

// now is when the next step happens.
func (w *writer) now() time.Time { return begun().Add(time.Duration(len(w.steps)) * apart) }

// fixture reads one as it stands in its file.
func (w *writer) fixture(name string) map[string]any {
	w.Helper()

	path := filepath.Join("..", "..", "signals", "dialects", w.dialect, "testdata", "fixtures", filepath.FromSlash(name)+".json")
	data, err := os.ReadFile(filepath.Clean(path))
	require.NoError(w, err)

	var body map[string]any

	require.NoError(w, json.Unmarshal(data, &body))

	return body
}

func (w *writer) add(name, method, path string, body any) {
	w.Helper()

	w.steps = append(w.steps, step{name: name, at: w.now(), req: w.request(method, path, body)})
}

func (w *writer) request(method, path string, body any) dialects.Request {
	w.Helper()

	raw, err := json.Marshal(body)
	require.NoError(w, err)

	return dialects.Request{
		Method: method, Path: path, Query: url.Values{}, Header: http.Header{"Content-Type": {"application/json"}}, Body: raw,
	}
}

// backAndForth are the two states of a platform.
func (w *writer) backAndForth(path string, on, off any) {
	w.Helper()

	for _, body := range []any{on, off} {
		w.states = append(w.states, step{name: "state", at: begun(), req: w.request(http.MethodPost, path, body)})
	}
}

// told adds a webhook that does not say when its event happened.
func (w *writer) told(name string, body any) {
	w.Helper()
	w.mute = append(w.mute, name)
	w.add(name, http.MethodPost, "", body)
}

func (w *writer) post(name string, body any) {
	w.Helper()
	w.add(name, http.MethodPost, "", body)
}

// inner is an object within a body.
func (w *writer) inner(in map[string]any, keys ...string) map[string]any {
	w.Helper()

	for _, key := range keys {
		next, ok := in[key].(map[string]any)
		require.True(w, ok, key)

		in = next
	}

	return in
}

// source is the one that a story's platform is connected as.
func (s *story) source() dialects.Source {
	return dialects.Source{Name: "shop", Zone: time.UTC, RetryWindow: retryWindow, Agents: s.agents, Bots: s.bots}
}

const retryWindow = 2 * time.Minute

// under is the dialect's default policy, with clocks that never fall due here.
func (s *story) under(d dialects.Dialect) policy.Snapshot {
	p := policy.DefaultFor(d.Name())
	p.Unreplied.First = policy.Duration(time.Hour)
	p.Unreplied.TypingPause = 0 // a pause begins when its typing arrives
	p.Closeout.Grace = policy.Duration(time.Hour)

	return policy.Snapshot{
		Source: "shop", Dialect: d.Name(), PolicyName: policy.DefaultName, Policy: p, Routing: policy.RoutingPlatform,
		RetryWindow: policy.Duration(retryWindow), Agents: s.agents, Bots: s.bots, TicketKind: policy.TicketStore,
	}
}

// decode is what the gateway makes of a step that arrives at a time.
func (s *story) decode(t *testing.T, d dialects.Dialect, one *step, arrives time.Time) []signals.Event {
	t.Helper()

	req := one.req
	req.ReceivedAt = arrives

	events, err := d.Decode(req, s.source())
	require.NoError(t, err, one.name)
	require.NotEmpty(t, events, one.name)

	for i := range events {
		require.Equal(t, events[0].Conversation, events[i].Conversation, "%s is about one conversation", one.name)
	}

	return events
}

func stateOf(t *testing.T, m any) string {
	t.Helper()

	data, err := json.Marshal(m)
	require.NoError(t, err)

	return string(data)
}

func merged(into, fields map[string]any) map[string]any {
	maps.Copy(into, fields)

	return into
}
