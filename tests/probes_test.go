package tests_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

func checkProbes(t *testing.T, parley *process) {
	t.Helper()

	require.Equal(t, http.StatusOK, parley.status("/healthz"))
	require.Equal(t, http.StatusOK, parley.status("/readyz"))
	require.Equal(t, http.StatusOK, parley.status("/docs"))

	var described struct {
		Paths map[string]any `json:"paths"`
	}

	parley.answer(http.MethodGet, "/openapi.json", nil, &described)
	require.Contains(t, described.Paths, "/v1/conversations/{source}/{id}")

	key := signals.Key{Source: "probes", Conversation: "measured"}
	parley.post("/webhooks/probes", ownMessage(key.Conversation, "m1"))
	parley.eventually(key, 5*time.Second, "pushed", func(v signals.View) bool { return v.PushTimes == 1 })

	// Figures are handed on once a second.
	var metrics string

	require.Eventually(t, func() bool {
		status, body := parley.do(http.MethodGet, "/metrics", nil)
		metrics = string(body)

		return status == http.StatusOK && strings.Contains(metrics, `parley_webhook_ack_latency_seconds_count{source="probes"}`) &&
			strings.Contains(metrics, "parley_clock_lateness")
	}, 10*time.Second, 100*time.Millisecond, "the webhook and the clock are not measured")

	for _, series := range []string{
		`parley_http_requests_total{`, `parley_webhook_events_total{source="probes"}`, `parley_signals_total{`,
		`parley_webhook_ack_latency_seconds_bucket{source="probes",le="0.015"}`, `parley_signal_latency_seconds_bucket{`,
		`temporal_request_total{`, `temporal_request_latency_seconds_bucket{`, `temporal_workflow_task_execution_latency_seconds_bucket{`,
		`le="0.15"}`, "temporal_sticky_cache_size",
	} {
		require.Contains(t, metrics, series)
	}

	require.NotContains(t, metrics, "parley_parley_")
	require.NotContains(t, metrics, "measured", "a conversation is no label")
}

// TestAPIKeys: with keys configured nobody reads or commands without one of the
// right scope; webhooks, which are signed, and probes need none.
func TestAPIKeys(t *testing.T) {
	t.Parallel()

	one := newInstall(t, "")
	reader, readerEntry := one.newKey(t, "reader", "read")
	writer, writerEntry := one.newKey(t, "writer", "read,command")
	raw, rawEntry := one.newKey(t, "auditor", "read,raw")
	one.env = []string{"PARLEY_API_KEYS=" + readerEntry + "," + writerEntry + "," + rawEntry}
	parley := one.start(t)

	c := &chat{t: t, id: "KEYS", thread: "T1"}
	path := conversationPath(c.key())
	accept := map[string]any{"agent_id": "smith"}

	parley.post("/webhooks/livechat", c.says(ann, "Hello"))
	parley.post("/webhooks/livechat", fixture(t, "routing_status_set"))

	for _, get := range []string{path, "/v1/conversations", "/v1/tickets", "/v1/sources", "/v1/sources/livechat/events", "/metrics"} {
		parley.problemOf(http.StatusUnauthorized, http.MethodGet, get, nil)
		parley.problemOf(http.StatusUnauthorized, http.MethodGet, get, nil, "Authorization", "Bearer "+reader+"x")
		parley.problemOf(http.StatusUnauthorized, http.MethodGet, get, nil, "Authorization", "Basic "+reader)

		status, body := parley.do(http.MethodGet, get, nil, "Authorization", "Bearer "+reader)
		require.Equal(t, http.StatusOK, status, "%s: %s", get, body)
	}

	parley.problemOf(http.StatusUnauthorized, http.MethodPost, path+"/accept", accept)
	parley.problemOf(http.StatusForbidden, http.MethodPost, path+"/accept", accept, "Authorization", "Bearer "+reader)
	parley.problemOf(http.StatusForbidden, http.MethodPost, path+"/events", ownMessage(c.id, "m9"), "Authorization", "Bearer "+reader)

	var view signals.View

	parley.answer(http.MethodPost, path+"/accept", accept, &view, "Authorization", "Bearer "+writer)
	require.Equal(t, "smith", view.Agent)

	// What the platform wrote is for who may read it raw.
	_, plain := parley.do(http.MethodGet, "/v1/sources/livechat/events", nil, "Authorization", "Bearer "+reader)
	require.NotContains(t, string(plain), `"raw"`)

	_, full := parley.do(http.MethodGet, "/v1/sources/livechat/events", nil, "Authorization", "Bearer "+raw)
	require.Contains(t, string(full), `"raw"`)

	for _, open := range []string{"/healthz", "/readyz", "/docs", "/openapi.json"} {
		require.Equal(t, http.StatusOK, parley.status(open), open)
	}

	for _, token := range []string{reader, writer, raw} {
		require.NotContains(t, parley.output(), token)
	}
}

// newKey makes an API key with the command line.
func (i *install) newKey(t *testing.T, name, scopes string) (token, entry string) {
	t.Helper()

	output, err := i.command(t.Context(), "key", "new", name, "--scopes", scopes).Output()
	require.NoError(t, err)

	words := strings.Fields(string(output))
	require.Len(t, words, 4, string(output))

	return words[1], words[3]
}
