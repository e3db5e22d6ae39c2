package tests_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/parleyhq/parley/activities/deliver"
	deskactivities "github.com/parleyhq/parley/activities/desk"
	"github.com/parleyhq/parley/activities/dispatch"
	"github.com/parleyhq/parley/activities/notify"
	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/activities/tickets"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/webhooks/inbox"
	"github.com/parleyhq/parley/worker"
	"github.com/parleyhq/parley/worker/embedded"
	"github.com/parleyhq/parley/workflows/policy"
)

// anonymous is the identity under which histories are recorded.
const anonymous = "parley"

// bench is Parley without its HTTP edge, in this process, on a real server, with
// handles on what a process keeps to itself: what fails, and what time it is.
type bench struct {
	client    client.Client
	namespace string
	courier   *courier.Courier
	gate      *gate
}

func newBench(t *testing.T) *bench {
	t.Helper()

	config, err := env.ParseAsWithOptions[embedded.Config](env.Options{Environment: map[string]string{}})
	require.NoError(t, err)

	dir := t.TempDir()
	config.DataDir, config.Port, config.UIPort, config.TimeSkipping = filepath.Join(dir, "parley-data"), 0, 0, true
	silent := slog.New(slog.DiscardHandler)

	server, err := embedded.Start(t.Context(), config, worker.SearchAttributes(), silent)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()

		require.NoError(t, server.Stop(ctx))
	})

	dialled, err := client.Dial(client.Options{
		HostPort: server.FrontendAddress(), Namespace: server.Namespace(), Logger: sdklog.NewStructuredLogger(silent),
		Identity: anonymous,
	})
	require.NoError(t, err)
	t.Cleanup(dialled.Close)

	require.NoError(t, worker.EnsureAttributes(t.Context(), dialled, server.Namespace()))

	db, err := inbox.Open(t.Context(), filepath.Join(dir, "parley.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })

	kept, err := inbox.New(t.Context(), db, inbox.Config{}, silent)
	require.NoError(t, err)

	store, err := tickets.Open(t.Context(), db)
	require.NoError(t, err)

	sender := courier.New(dialled, courier.Config{}, silent)
	t.Cleanup(func() { require.NoError(t, sender.Close(context.Background())) })

	made := &bench{client: dialled, namespace: server.Namespace(), courier: sender, gate: newGate(sender, store)}
	made.work(t, store, kept)

	return made
}

// work starts the worker with every workflow and activity on it.
func (b *bench) work(t *testing.T, store *tickets.Store, kept *inbox.Inbox) {
	t.Helper()

	receivers := newReceivers(t)
	silent := slog.New(slog.DiscardHandler)
	requests := outbound.NewClient(outbound.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	notifier := notify.New(notify.Config{
		"ops":   {Kind: notify.KindWebhook, URL: receivers + "/ready"},
		"flaky": {Kind: notify.KindWebhook, URL: receivers + "/flaky"},
		"down":  {Kind: notify.KindWebhook, URL: receivers + "/down"},
	}, requests, notify.NewPrinter(io.Discard, silent))

	book := benchBook(t)
	under := func(source string) policy.Snapshot {
		snapshot := book.Snapshot(source)
		if source == "external" {
			snapshot.TicketKind = policy.TicketWebhook
		}

		snapshot.Platform = source == "moved"

		return snapshot
	}

	desks, err := policy.NewDesks(nil, nil)
	require.NoError(t, err)

	running := worker.New(b.client, worker.Under{Source: under, Desk: desks.Snapshot},
		&dispatch.Activities{Sender: b.gate, Desks: unheard{}, Printer: notifier, Sessions: b.gate, Archive: archive{kept}, Past: b.gate},
		&deliver.Activities{
			Notices: notifier, Tickets: store, Courier: b.courier, Log: silent, Platform: &reluctant{},
			TicketSystem: tickets.NewWebhook(tickets.Config{Kind: tickets.KindWebhook, URL: receivers + "/flaky"}, requests, store),
		},
		&deskactivities.Activities{Courier: b.courier, Workflow: b.client, Log: silent})
	require.NoError(t, running.Start())
	t.Cleanup(func() {
		running.Stop()
		requests.Close()
	})
}

// benchBook has one source per policy, and the policies what a test can wait for.
func benchBook(t *testing.T) *policy.Book {
	t.Helper()

	const ms = policy.Duration(time.Millisecond)

	quick := func(channels ...string) policy.Layer {
		return func(p *policy.Policy) error {
			p.Unreplied.First, p.Unreplied.Repeat, p.Closeout.Grace = 400*ms, 400*ms, 600*ms
			if len(channels) > 0 {
				p.Unreplied.Repeat = policy.Duration(time.Hour)
				p.Notify[signals.UnrepliedPushed] = channels
			}

			return nil
		}
	}

	office, err := (&policy.Calendar{Zone: "Europe/Berlin", Days: map[string][]string{"mon-sun": {"00:00-24:00"}}}).Hours("office")
	require.NoError(t, err)

	layers := map[string]policy.Layer{
		"quick": quick(), "hooked": quick("log", "ops"), "flaky": quick("flaky"), "down": quick("down"), "external": quick(),
		"expiring": func(p *policy.Policy) error {
			p.Unreplied.First, p.Unreplied.Repeat, p.Unreplied.Max = 300*ms, 2500*ms, 2
			p.Notify[signals.UnrepliedPushed] = []string{"down"}

			return nil
		},
		"lenient": func(p *policy.Policy) error {
			p.Closeout.Grace = 3000 * ms

			return nil
		},
		"calm": func(p *policy.Policy) error {
			p.Unreplied.First, p.Closeout.Grace = policy.Duration(time.Hour), 600*ms
			p.Notify[signals.SystemNoted] = []string{"ops"}

			return nil
		},
		"office": func(p *policy.Policy) error {
			p.Hours = "office"

			return quick()(p)
		},
		"routed": func(p *policy.Policy) error {
			p.Reassign.After, p.Queue.MaxWait, p.Accept.End = 500*ms, 3000*ms, policy.EndClose

			return quick()(p)
		},
		"ended": func(p *policy.Policy) error {
			p.Unreplied.First, p.Closeout.Grace = policy.Duration(time.Hour), policy.Duration(time.Minute)
			p.Closeout.Escalation = policy.FollowSession

			return nil
		},
		"moved": func(p *policy.Policy) error {
			p.Unreplied.First, p.Closeout.Grace = policy.Duration(time.Hour), 600*ms

			return nil
		},
		"relay": func(p *policy.Policy) error {
			p.Unreplied.Mode = policy.ModeRelay

			return quick()(p)
		},
	}

	sources := make([]policy.Source, 0, len(layers))

	for name := range layers {
		source := policy.NewSource(name)
		source.Dialect, source.Policy = policy.DialectLiveChat, name

		if name == "routed" || name == "ended" {
			source.Routing, source.Desk = policy.RoutingDesk, "support"
		}

		sources = append(sources, source)
	}

	book, err := policy.NewBook(policy.Config{
		Policies: layers, Sources: sources, Channels: []string{"ops", "flaky", "down"}, Hours: map[string]*policy.Hours{"office": office},
		Desks: []string{"support"},
	})
	require.NoError(t, err)

	return book
}

// newReceivers takes notices and tickets: /ready at once, /flaky each at its
// third attempt, /down never.
func newReceivers(t *testing.T) string {
	t.Helper()

	var (
		mu    sync.Mutex
		tries = map[string]int{}
	)

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		mu.Lock()
		defer mu.Unlock()

		id := request.Header.Get("Webhook-Id") + request.Header.Get("Idempotency-Key")
		tries[id]++

		if request.URL.Path == "/down" || request.URL.Path == "/flaky" && tries[id] < 3 {
			http.Error(w, "not now", http.StatusServiceUnavailable)

			return
		}

		_, _ = io.WriteString(w, `{"id":"EXT-`+strconv.Itoa(len(tries))+`"}`)
	}))
	t.Cleanup(server.Close)

	return server.URL
}

// archive keeps strays as the command does.
type archive struct{ *inbox.Inbox }

func (a archive) Stray(ctx context.Context, key signals.Key, session int, events []signals.Event) error {
	return a.Keep(ctx, key, inbox.Orphan, session, events)
}

var errAway = errors.New("away for the test")

// gate stands between a conversation's dispatches and the world; it can fail
// them and hold them up, by conversation.
type gate struct {
	courier *courier.Courier
	store   *tickets.Store

	mu   sync.Mutex
	fail map[string]int
	hold map[string]chan struct{}
	held map[string]int
}

// unheard is no desk: the tests say what one would say.
type unheard struct{}

func (unheard) Asks(context.Context, string, []signals.Ask) error { return nil }

func newGate(sender *courier.Courier, store *tickets.Store) *gate {
	return &gate{courier: sender, store: store, fail: map[string]int{}, hold: map[string]chan struct{}{}, held: map[string]int{}}
}

func (g *gate) Orders(ctx context.Context, key signals.Key, orders []signals.Order) error {
	if err := g.pass(ctx, key.WorkflowID()); err != nil {
		return err
	}

	return g.courier.Orders(ctx, key, orders)
}

func (g *gate) Record(ctx context.Context, view signals.View, ticket *signals.Ticket) error {
	if err := g.pass(ctx, view.WorkflowID); err != nil {
		return err
	}

	return g.store.Record(ctx, view, ticket)
}

// Next is held up like a dispatch, and never fails.
func (g *gate) Next(ctx context.Context, id string) (signals.Start, bool, error) {
	if err := g.pass(ctx, id); err != nil {
		return signals.Start{}, false, err
	}

	return g.store.Next(ctx, id)
}

func (g *gate) pass(ctx context.Context, id string) error {
	g.mu.Lock()
	hold, failing := g.hold[id], g.fail[id] > 0
	g.held[id]++

	if failing {
		g.fail[id]--
	}

	g.mu.Unlock()

	if failing {
		return errAway
	}

	if hold == nil {
		return nil
	}

	select {
	case <-hold:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("held up: %w", ctx.Err())
	}
}

// failNext makes the next n dispatches of a conversation fail.
func (g *gate) failNext(key signals.Key, n int) {
	g.mu.Lock()
	defer g.mu.Unlock()

	g.fail[key.WorkflowID()] = n
}

// holdUp holds dispatches of a conversation up until release is called; arrived
// reports whether one is there.
func (g *gate) holdUp(key signals.Key) (arrived func() bool, release func()) {
	g.mu.Lock()
	defer g.mu.Unlock()

	id, held := key.WorkflowID(), make(chan struct{})
	before := g.held[id]
	g.hold[id] = held

	return func() bool {
			g.mu.Lock()
			defer g.mu.Unlock()

			return g.held[id] > before
		}, func() {
			g.mu.Lock()
			defer g.mu.Unlock()

			delete(g.hold, id)
			close(held)
		}
}

// skipTime lets the server skip what a workflow waits for, until it has skipped
// so often.
func (b *bench) skipTime(t *testing.T, id string, skips int32) {
	t.Helper()

	_, err := b.client.WorkflowService().UpdateWorkflowExecutionOptions(t.Context(),
		&workflowservice.UpdateWorkflowExecutionOptionsRequest{
			Namespace: b.namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id}, Identity: anonymous,
			WorkflowExecutionOptions: &workflowpb.WorkflowExecutionOptions{
				TimeSkippingConfig: &commonpb.TimeSkippingConfig{Enabled: true, MaxSessionSkipCount: skips},
			},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"time_skipping_config"}},
		})
	require.NoError(t, err)
}

// send brings events through the courier, what it leaves for another call too.
func (b *bench) send(t *testing.T, key signals.Key, events ...signals.Event) {
	t.Helper()

	for len(events) > 0 {
		outcome, err := b.courier.Events(t.Context(), key, events)
		require.NoError(t, err)

		var left []signals.Event

		for i, fate := range outcome.Fates {
			if fate == courier.Unsent {
				left = append(left, events[i])
			}
		}

		require.Less(t, len(left), len(events))

		events = left
	}
}

// until waits for a state of the newest run.
func (b *bench) until(t *testing.T, key signals.Key, what string, holds func(signals.View) bool) {
	t.Helper()

	require.Eventually(t, func() bool {
		answer, err := b.client.QueryWorkflow(t.Context(), key.WorkflowID(), "", signals.StateQuery)
		if err != nil {
			return false
		}

		var view signals.View

		return answer.Get(&view) == nil && holds(view)
	}, 40*time.Second, 50*time.Millisecond, what)
}

// completed waits for the newest run to complete.
func (b *bench) completed(t *testing.T, id string) {
	t.Helper()

	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()

	require.NoError(t, b.client.GetWorkflow(ctx, id, "").Get(ctx, nil))
}

// command sends an update and returns its error.
func (b *bench) command(t *testing.T, key signals.Key, name string, command signals.Command) error {
	t.Helper()

	handle, err := b.client.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
		WorkflowID: key.WorkflowID(), UpdateName: name, Args: []any{command}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return err
	}

	return handle.Get(t.Context(), nil)
}
