package deliver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/parleyhq/parley/activities/deliver"
	"github.com/parleyhq/parley/activities/notify"
	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/activities/tickets"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/delivery"
)

//nolint:gochecknoglobals // a constant of these tests
var chat = signals.Key{Source: "livechat", Conversation: "PJ0MRSHTDG"}

// world is everything around the activities.
type world struct {
	calls   []string
	err     map[string]error
	receipt delivery.Receipt
	orders  []signals.Order
}

func (w *world) do(call string) error {
	w.calls = append(w.calls, call)

	return w.err[call]
}

func (w *world) Update(_ context.Context, ref signals.TicketRef, source, conversation string) error {
	return w.do(fmt.Sprintf("update %s %s %s/%s", ref.ID, ref.Status, source, conversation))
}

func (w *world) Tell(_ context.Context, key signals.Key, events []signals.Event) error {
	return w.do(fmt.Sprintf("tell %s %s", key, events[0].Type))
}

func (w *world) Orders(_ context.Context, _ signals.Key, orders []signals.Order) error {
	w.orders = orders

	return w.do("orders")
}

// sender is one end that orders go to.
type sender struct {
	*world

	name string
}

func (s sender) Send(_ context.Context, order *signals.Order) (delivery.Receipt, error) {
	return s.receipt, s.do(s.name + " " + order.Key)
}

func newActivities(w *world, log *bytes.Buffer) *deliver.Activities {
	return &deliver.Activities{
		Notices: sender{w, "notice"}, TicketSystem: sender{w, "ticket"}, Platform: sender{w, "platform"}, Tickets: w, Courier: w,
		Log: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// attempt runs the activity as a worker would, so that errors come as the
// workflow sees them.
func attempt(t *testing.T, a *deliver.Activities, attempt delivery.Attempt) (delivery.Receipt, error) {
	t.Helper()

	var suite testsuite.WorkflowTestSuite

	env := suite.NewTestActivityEnvironment()
	a.Register(env)

	value, err := env.ExecuteActivity(delivery.AttemptActivity, attempt)
	if err != nil {
		return delivery.Receipt{}, err
	}

	var receipt delivery.Receipt

	err = value.Get(&receipt)

	return receipt, err
}

func noticeAttempt() delivery.Attempt {
	return delivery.Attempt{
		Number: 2, ExpiresAt: time.Now().Add(time.Hour),
		Order: signals.Order{
			Key: "k", Kind: signals.OrderNotice, Target: "ops",
			Event: &signals.Event{Type: signals.AgentsUnavailable, Source: chat.Source, Conversation: chat.Conversation},
		},
	}
}

func TestAttemptsGoToTheirSender(t *testing.T) {
	t.Parallel()

	var log bytes.Buffer

	w := &world{receipt: delivery.Receipt{ExternalID: "77"}}
	a := newActivities(w, &log)

	receipt, err := attempt(t, a, noticeAttempt())
	require.NoError(t, err)
	require.Equal(t, "77", receipt.ExternalID)

	ticket := noticeAttempt()
	ticket.Order.Kind, ticket.Order.Ticket, ticket.Order.Event = signals.OrderTicket, &signals.Ticket{Source: chat.Source}, nil
	_, err = attempt(t, a, ticket)
	require.NoError(t, err)
	require.Equal(t, []string{"notice k", "ticket k"}, w.calls)
	require.Contains(t, log.String(), `"conversation":"PJ0MRSHTDG"`)
}

func TestCommandsGoToTheirPlatform(t *testing.T) {
	t.Parallel()

	var log bytes.Buffer

	command := noticeAttempt()
	command.Order.Kind, command.Order.Event = signals.OrderPlatform, nil
	command.Order.Platform = &signals.PlatformCommand{Action: signals.PlatformTransfer, AgentID: "smith", Chat: chat.Conversation}

	w := &world{}
	a := newActivities(w, &log)
	_, err := attempt(t, a, command)
	require.NoError(t, err)
	require.Equal(t, []string{"platform k"}, w.calls)
	require.Contains(t, log.String(), `"conversation":"PJ0MRSHTDG"`)
	require.Contains(t, log.String(), `"what":"platform transfer to smith"`)

	a.Platform = nil
	_, err = attempt(t, a, command)

	application, ok := errors.AsType[*temporal.ApplicationError](err)
	require.True(t, ok)
	require.Equal(t, delivery.PermanentError, application.Type())
}

func TestACommandIsReportedToItsConversation(t *testing.T) {
	t.Parallel()

	var log bytes.Buffer

	noted := delivery.Report{Key: chat, Counter: 9, Event: signals.Event{
		ID: "k:platform_action_failed", Type: signals.SystemNoted, Source: chat.Source, Conversation: chat.Conversation, Session: 1,
		Note: &signals.Note{Kind: signals.NotePlatformFailed, Text: "not done: platform transfer to smith; expired: 503"},
	}}

	w := &world{}
	a := newActivities(w, &log)
	a.Channels = func(string, signals.Type) []string { return []string{"log"} }

	require.NoError(t, runReport(t, a, noted))
	require.Equal(t, []string{"tell livechat/PJ0MRSHTDG system.noted"}, w.calls, "the conversation tells the channels")
	require.Contains(t, log.String(), "expired: 503")

	w.err = map[string]error{"tell livechat/PJ0MRSHTDG system.noted": errors.New("Temporal is away")}
	require.Error(t, runReport(t, a, noted), "and Temporal repeats it")

	noted.Event.Note = nil
	require.Error(t, runReport(t, a, noted))
}

func TestErrorsTellTheWorkflowWhatFollows(t *testing.T) {
	t.Parallel()

	asked := outbound.Temporary("hooks.example.com: 429 Too Many Requests")
	asked.RetryAfter = time.Minute

	for name, tc := range map[string]struct {
		err   error
		kind  string
		text  string
		delay time.Duration
		final bool
	}{
		"temporary":     {outbound.Temporary("hooks.example.com: 500"), delivery.TemporaryError, "hooks.example.com: 500", 0, false},
		"asked to wait": {asked, delivery.TemporaryError, asked.Reason, time.Minute, false},
		"permanent":     {outbound.Permanent("410 Gone"), delivery.PermanentError, "410 Gone", 0, true},
		"wrapped":       {fmt.Errorf("channel ops: %w", outbound.Permanent("bad")), delivery.PermanentError, "bad", 0, true},
		"ours, with a secret": {
			errors.New("https://hooks/sEcReT"), delivery.TemporaryError, "the attempt failed within Parley; its log says why", 0, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var log bytes.Buffer

			_, err := attempt(t, newActivities(&world{err: map[string]error{"notice k": tc.err}}, &log), noticeAttempt())

			application, ok := errors.AsType[*temporal.ApplicationError](err)
			require.True(t, ok)
			require.Equal(t, tc.kind, application.Type())
			require.Equal(t, tc.text, application.Message())
			require.Equal(t, tc.delay, application.NextRetryDelay())
			require.Equal(t, tc.final, application.NonRetryable())
			require.NotContains(t, err.Error(), "sEcReT")
			require.NotEmpty(t, log.String())
		})
	}
}

func TestAnAttemptThatCameTooLateDoesNotStart(t *testing.T) {
	t.Parallel()

	w := &world{}
	late := noticeAttempt()
	late.ExpiresAt = time.Now()
	_, err := attempt(t, newActivities(w, &bytes.Buffer{}), late)

	application, ok := errors.AsType[*temporal.ApplicationError](err)
	require.True(t, ok)
	require.Equal(t, delivery.ExpiredError, application.Type())
	require.Empty(t, w.calls)
}

// TestNoSecretInHistory goes the whole way, with a receiver that misbehaves.
func TestNoSecretInHistory(t *testing.T) {
	t.Parallel()

	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(server.Close)

	for name, allow := range map[string][]netip.Prefix{
		"a refused address": nil, "a hang-up": {netip.MustParsePrefix("127.0.0.0/8")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var log bytes.Buffer

			client := outbound.NewClient(outbound.Config{Allow: allow})
			t.Cleanup(client.Close)

			a := newActivities(&world{}, &log)
			a.Notices = notify.New(notify.Config{
				"ops": {Kind: notify.KindWebhook, URL: server.URL + "/hook/sEcReT?key=sEcReT", Secret: "sEcReT-too"},
			}, client, nil)

			_, err := attempt(t, a, noticeAttempt())
			require.Error(t, err)
			require.NotContains(t, fmt.Sprintf("%+v", err), "sEcReT")
			require.NotContains(t, log.String(), "sEcReT")
		})
	}
}

func report() delivery.Report {
	ref := signals.TicketRef{ID: "t_1", Status: signals.TicketStatusFailed, Reason: "expired: 503", Session: 1}

	return delivery.Report{Key: chat, Counter: 9, Event: signals.Event{
		ID: "k:ticket.failed", Type: signals.TicketFailed, Source: chat.Source, Conversation: chat.Conversation, Session: 1, Ticket: &ref,
	}}
}

func runReport(t *testing.T, a *deliver.Activities, report delivery.Report) error {
	t.Helper()

	var suite testsuite.WorkflowTestSuite

	env := suite.NewTestActivityEnvironment()
	a.Register(env)

	_, err := env.ExecuteActivity(delivery.ReportActivity, report)

	return err
}

const (
	update = "update t_1 failed livechat/PJ0MRSHTDG"
	tell   = "tell livechat/PJ0MRSHTDG ticket.failed"
)

func TestReportsGoToStoreConversationAndChannels(t *testing.T) {
	t.Parallel()

	w := &world{}
	a := newActivities(w, &bytes.Buffer{})
	a.Channels = func(source string, kind signals.Type) []string {
		require.Equal(t, "livechat", source)
		require.Equal(t, signals.TicketFailed, kind)

		return []string{"log", "ops"}
	}

	require.NoError(t, runReport(t, a, report()))
	require.Equal(t, []string{update, tell, "orders"}, w.calls)
	require.Len(t, w.orders, 2)
	require.Equal(t, "ops", w.orders[1].Target)
	require.Equal(t, int64(10), w.orders[1].Counter)
	require.Equal(t, "k:ticket.failed", w.orders[1].Key)
}

func TestReportsWithoutChannels(t *testing.T) {
	t.Parallel()

	w := &world{}
	require.NoError(t, runReport(t, newActivities(w, &bytes.Buffer{}), report()))
	require.Equal(t, []string{update, tell}, w.calls)
}

func TestAReportOfAForgottenTicketIsToldAllTheSame(t *testing.T) {
	t.Parallel()

	w := &world{err: map[string]error{update: fmt.Errorf("ticket: %w", tickets.ErrNotFound)}}
	require.NoError(t, runReport(t, newActivities(w, &bytes.Buffer{}), report()))
	require.Equal(t, []string{update, tell}, w.calls)
}

func TestAReportThatFailsIsRepeatedFromTheStart(t *testing.T) {
	t.Parallel()

	for _, call := range []string{update, tell, "orders"} {
		w := &world{err: map[string]error{call: errors.New("away")}}
		a := newActivities(w, &bytes.Buffer{})
		a.Channels = func(string, signals.Type) []string { return []string{"log"} }
		require.ErrorContains(t, runReport(t, a, report()), "away")
		require.Equal(t, call, w.calls[len(w.calls)-1])
	}

	empty := report()
	empty.Event.Ticket = nil
	require.Error(t, runReport(t, newActivities(&world{}, &bytes.Buffer{}), empty))
}
