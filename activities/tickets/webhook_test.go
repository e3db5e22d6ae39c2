package tickets_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/activities/tickets"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/delivery"
)

// desk is a ticket system.
type desk struct {
	*httptest.Server

	header http.Header
	body   []byte
}

func newDesk(t *testing.T, answer http.HandlerFunc) *desk {
	t.Helper()

	d := &desk{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.header = r.Header.Clone()
		d.body, _ = io.ReadAll(r.Body)

		answer(w, r)
	}))
	t.Cleanup(d.Close)

	return d
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func newWebhook(t *testing.T, url string, store *tickets.Store) *tickets.Webhook {
	t.Helper()

	client := outbound.NewClient(outbound.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	t.Cleanup(client.Close)

	config := tickets.Config{Kind: tickets.KindWebhook, URL: url, Secret: "ticket secret", Token: "bearer-token"}
	require.NoError(t, config.Validate())

	return tickets.NewWebhook(config, client, store)
}

func order() *signals.Order {
	view := closedView(chat, 1)
	ticket := ticketOf(&view)
	ticket.Transcript = nil

	return &signals.Order{Key: chat.WorkflowID() + "/1/9", Kind: signals.OrderTicket, Target: "tickets", Session: 1, Ticket: ticket}
}

func TestATicketIsPosted(t *testing.T) {
	t.Parallel()

	store := openStore(t)
	view := closedView(chat, 1)
	require.NoError(t, store.Record(t.Context(), view, ticketOf(&view)))

	system := newDesk(t, says(http.StatusCreated, `{"id":77,"url":"https://desk.example.com/77","more":[1]}`))
	receipt, err := newWebhook(t, system.URL+"/tickets", store).Send(t.Context(), order())
	require.NoError(t, err)
	require.Equal(t, "77", receipt.ExternalID)
	require.Equal(t, "https://desk.example.com/77", receipt.URL)
	require.Contains(t, receipt.Detail, "201 Created")

	var got signals.Ticket
	require.NoError(t, json.Unmarshal(system.body, &got))
	require.Equal(t, *ticketOf(&view), got, "with the transcript from the store")

	require.Equal(t, "conversation:livechat:PJ0MRSHTDG/1/9", system.header.Get("Idempotency-Key"))
	require.Equal(t, "Bearer bearer-token", system.header.Get("Authorization"))
	require.Equal(t, outbound.ChatSignature(system.body, "ticket secret"), system.header.Get("X-Chat-Signature"))

	hook, err := standardwebhooks.NewWebhookRaw([]byte("ticket secret"))
	require.NoError(t, err)
	require.NoError(t, hook.Verify(system.body, system.header))
}

func TestARepeatedAttemptIsTheSameRequest(t *testing.T) {
	t.Parallel()

	system := newDesk(t, says(http.StatusBadGateway, ""))
	hook := newWebhook(t, system.URL, openStore(t))

	_, err := hook.Send(t.Context(), order())
	require.ErrorContains(t, err, "502 Bad Gateway")
	require.False(t, outbound.IsPermanent(err))

	body, key := system.body, system.header.Get("Idempotency-Key")
	require.Contains(t, string(body), `"transcript":[]`, "a ticket that is not kept has none")

	_, err = hook.Send(t.Context(), order())
	require.Error(t, err)
	require.Equal(t, body, system.body)
	require.Equal(t, key, system.header.Get("Idempotency-Key"))
}

func TestAnswers(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   delivery.Receipt
	}{
		"a string":            {says(200, `{"id":"ABC-1"}`), delivery.Receipt{ExternalID: "ABC-1"}},
		"a large number":      {says(200, `{"id":12345678901234567890}`), delivery.Receipt{ExternalID: "12345678901234567890"}},
		"nothing":             {says(204, ``), delivery.Receipt{}},
		"no JSON":             {says(200, `<html>`), delivery.Receipt{}},
		"a list":              {says(200, `[1]`), delivery.Receipt{}},
		"an odd id":           {says(200, `{"id":{"a":1}}`), delivery.Receipt{}},
		"a hostile id":        {says(200, "{\"id\":\"a\\u001b[2Jb\\nc\"}"), delivery.Receipt{ExternalID: "a[2Jbc"}},
		"a script for a link": {says(200, `{"id":"1","url":"javascript:alert(1)"}`), delivery.Receipt{ExternalID: "1"}},
		"a link with a login": {says(200, `{"id":"1","url":"https://a:b@desk.example.com"}`), delivery.Receipt{ExternalID: "1"}},
		"an endless id":       {says(200, `{"id":"`+strings.Repeat("x", 5000)+`"}`), delivery.Receipt{ExternalID: strings.Repeat("x", 200)}},
		"a huge body":         {says(200, `{"id":"1","x":"`+strings.Repeat("x", 100_000)+`"}`), delivery.Receipt{}},
		"a broken body": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"id":"1"}`)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, delivery.Receipt{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			receipt, err := newWebhook(t, newDesk(t, tc.answer).URL, openStore(t)).Send(t.Context(), order())
			require.NoError(t, err)

			receipt.Detail = ""
			require.Equal(t, tc.want, receipt)
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		answer    http.HandlerFunc
		text      string
		permanent bool
		wait      time.Duration
	}{
		"gone":       {says(410, ""), "410 Gone", true, 0},
		"not found":  {says(404, ""), "404 Not Found", false, 0},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) }, "302 Found", false, 0},
		"hangs up":   {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "hung up", false, 0},
		"asks for it": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusTooManyRequests)
		}, "429", false, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := newWebhook(t, newDesk(t, tc.answer).URL+"/sEcReT", openStore(t)).Send(t.Context(), order())

			failure, ok := errors.AsType[*outbound.Failure](err)
			require.True(t, ok, "%v", err)
			require.Contains(t, failure.Error(), tc.text)
			require.Equal(t, tc.permanent, failure.Permanent)
			require.Equal(t, tc.wait, failure.RetryAfter)
			require.NotContains(t, failure.Error(), "sEcReT")
		})
	}
}

func TestWithoutATicketSystemNothingIsTried(t *testing.T) {
	t.Parallel()

	_, err := tickets.NewWebhook(tickets.Config{}, nil, nil).Send(t.Context(), order())
	require.True(t, outbound.IsPermanent(err))
	require.ErrorContains(t, err, "no ticket system is configured")

	empty := order()
	empty.Ticket = nil
	_, err = newWebhook(t, "https://desk.example.com", nil).Send(t.Context(), empty)
	require.True(t, outbound.IsPermanent(err))
}

func TestConfig(t *testing.T) {
	t.Parallel()

	require.NoError(t, tickets.Config{}.Validate())
	require.NoError(t, tickets.Config{Kind: tickets.KindStore}.Validate())

	for field, bad := range map[string]tickets.Config{
		"tickets.kind": {Kind: "jira"},
		"tickets.url":  {Kind: tickets.KindWebhook, URL: "desk/sEcReT"},
	} {
		err := bad.Validate()

		fault, ok := errors.AsType[*signals.FieldError](err)
		require.True(t, ok)
		require.Equal(t, field, fault.Field)
		require.NotContains(t, err.Error(), "sEcReT")
	}
}
