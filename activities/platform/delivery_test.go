package platform_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/activities/deliver"
	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/activities/platform"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/delivery"
)

// told is the conversation, which only listens.
type told struct {
	mu     sync.Mutex
	events []signals.Event
}

func (c *told) Tell(_ context.Context, _ signals.Key, events []signals.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.events = append(c.events, events...)

	return nil
}

func (c *told) Orders(context.Context, signals.Key, []signals.Order) error { return nil }

// deliveryRun is what one delivery of commands left behind.
type deliveryRun struct {
	took  time.Duration
	notes []signals.Note
	// seen is all that could be read in Temporal's UI or in the log.
	seen string
}

// deliverAll runs a delivery workflow, with its activities, against a fake.
func deliverAll(t *testing.T, sender *platform.Sender, orders ...*signals.Order) deliveryRun {
	t.Helper()

	var (
		suite testsuite.WorkflowTestSuite
		seen  notes
	)

	// The activity compares a run's times with the real clock, which is behind.
	begin := time.Date(2040, 11, 20, 10, 0, 0, 0, time.UTC)
	key := signals.Key{Source: "livechat", Conversation: chatID}
	heard := &told{}
	activities := &deliver.Activities{
		Platform: sender, Courier: heard, Log: slog.New(slog.NewTextHandler(&seen, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}

	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(begin)
	env.SetTestTimeout(time.Minute)
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{
		ID: key.DeliveryID(signals.PlatformTarget("livechat")), TaskQueue: signals.TaskQueue,
	})
	env.RegisterWorkflowWithOptions(delivery.Workflow, workflow.RegisterOptions{Name: signals.DeliveryWorkflow})
	activities.Register(env)

	env.SetOnActivityCompletedListener(func(_ *activity.Info, result converter.EncodedValue, err error) {
		var value any
		if result != nil && result.HasValue() && result.Get(&value) != nil {
			value = "unreadable"
		}

		fmt.Fprintf(&seen, "%v %+v\n", value, err)
	})

	batch := signals.OrderBatch{}

	for _, order := range orders {
		raw, err := json.Marshal(order)
		require.NoError(t, err)

		batch.Orders = append(batch.Orders, raw)
	}

	env.RegisterDelayedCallback(func() { env.SignalWorkflow(signals.OrdersSignal, batch) }, 0)

	var last delivery.State

	for at := time.Second; at < 5*time.Minute; at += 10 * time.Second {
		env.RegisterDelayedCallback(func() {
			if value, err := env.QueryWorkflow(signals.StateQuery); err == nil && value.Get(&last) == nil {
				state, _ := json.Marshal(last)

				_, _ = seen.Write(state)
			}
		}, at)
	}

	env.ExecuteWorkflow(signals.DeliveryWorkflow, delivery.Input{})
	require.True(t, env.IsWorkflowCompleted())
	require.NoError(t, env.GetWorkflowError())
	require.NotNil(t, last.Last)

	run := deliveryRun{seen: seen.String(), took: last.Last.At.Sub(begin)}
	for i := range heard.events {
		require.Equal(t, signals.SystemNoted, heard.events[i].Type)

		run.notes = append(run.notes, *heard.events[i].Note)
	}

	return run
}

func TestACommandIsRepeatedUntilLiveChatTakesIt(t *testing.T) {
	t.Parallel()

	fake := newFake(t)
	fake.faults["get_chat"] = []fault{busy, cut}
	fake.faults["transfer_chat"] = []fault{full, lost}

	run := deliverAll(t, newSender(t, fake.source()), orderOf(toAgent("jones@example.com")))

	asked, moved := fake.did()
	require.Equal(t, []string{"jones@example.com"}, moved, "once, though its answer was lost")
	require.Equal(t, []string{"get_chat", "get_chat", "get_chat", "transfer_chat", "get_chat", "transfer_chat", "get_chat"}, asked)
	// Pauses of 1 and 2 s, the 7 s that it asked for, and 8 s.
	require.Equal(t, 18*time.Second, run.took.Truncate(time.Second))
	require.Equal(t, []signals.Note{{
		Kind: signals.NotePlatformDone, Visibility: signals.VisibleToAgents,
		Text: "done: platform transfer from smith@example.com to jones@example.com; the agent has the chat already",
	}}, run.notes)
	require.Contains(t, run.seen, "too_many_requests")
	requireNoSecret(t, run.seen)
}

func TestACommandThatLiveChatRefusesIsGivenUp(t *testing.T) {
	t.Parallel()

	fake := newFake(t)
	fake.auth = "Bearer another"

	run := deliverAll(t, newSender(t, fake.source()), orderOf(reassign()))

	require.Less(t, run.took, time.Second)
	require.Len(t, run.notes, 1)
	require.Equal(t, signals.NotePlatformFailed, run.notes[0].Kind)
	require.Contains(t, run.notes[0].Text, "not done: platform reassign from smith@example.com; failed: ")
	require.Contains(t, run.notes[0].Text, "get_chat: 401 authentication Invalid access token")
	requireNoSecret(t, run.seen)
}

func TestACommandExpiresWhileLiveChatIsAway(t *testing.T) {
	t.Parallel()

	fake := newFake(t)
	source := fake.source()
	fake.Close()

	run := deliverAll(t, newSender(t, source), orderOf(toAgent("jones@example.com")))

	require.Equal(t, 2*time.Minute, run.took.Truncate(time.Second))
	require.Len(t, run.notes, 1)
	require.Equal(t, signals.NotePlatformFailed, run.notes[0].Kind)
	require.Contains(t, run.notes[0].Text, "; expired: ")
	requireNoSecret(t, run.seen)
}

func TestTheNewerOfTwoCommandsIsCarriedOut(t *testing.T) {
	t.Parallel()

	fake := newFake(t)
	first, second := orderOf(toAgent("jones@example.com")), orderOf(toAgent("lee@example.com"))
	second.Counter, second.Key = 8, second.Key+"/8"

	run := deliverAll(t, newSender(t, fake.source()), first, second)

	_, moved := fake.did()
	require.Equal(t, []string{"lee@example.com"}, moved)
	require.Len(t, run.notes, 2)
	require.Equal(t, signals.NotePlatformDropped, run.notes[0].Kind)
	require.Equal(t, signals.NotePlatformDone, run.notes[1].Kind)
}

// notes are what several goroutines write.
type notes struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (n *notes) Write(text []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()

	return n.text.Write(text)
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()

	return n.text.String()
}

func requireNoSecret(t *testing.T, seen string) {
	t.Helper()
	require.NotEmpty(t, seen)
	require.NotContains(t, seen, "sEcReT")
	require.NotContains(t, seen, "Yjdl", "the account id in base64")
}

// TestWhateverGoesWrongTheChatIsMovedOnce repeats a command as a delivery does,
// with faults of every kind before and between.
func TestWhateverGoesWrongTheChatIsMovedOnce(t *testing.T) {
	t.Parallel()

	fake := newFake(t)
	sender := newSender(t, fake.source())
	kinds := []fault{fine, lost, cut, busy, full}

	rapid.Check(t, func(rt *rapid.T) {
		command := rapid.SampledFrom([]signals.PlatformCommand{
			toAgent("jones@example.com"), toGroup("2", "smith@example.com"), toGroup("0", "smith@example.com"),
			toGroup("7", "smith@example.com"), reassign(),
			{Action: signals.PlatformTransfer, From: "smith@example.com"},
		}).Draw(rt, "command")

		fake.mu.Lock()
		fake.users, fake.group, fake.queued, fake.moved = map[string]bool{"smith@example.com": true}, 0, false, nil
		fake.faults["get_chat"] = rapid.SliceOfN(rapid.SampledFrom(kinds), 0, 5).Draw(rt, "looks")
		fake.faults["transfer_chat"] = rapid.SliceOfN(rapid.SampledFrom(kinds), 0, 5).Draw(rt, "transfers")
		fake.mu.Unlock()

		var err error

		for range 20 {
			if _, err = sender.Send(t.Context(), orderOf(command)); err == nil {
				break
			}

			require.False(rt, outbound.IsPermanent(err), "%v", err)
		}

		require.NoError(rt, err)

		_, moved := fake.did()
		require.Len(rt, moved, 1, strings.Join(moved, " "))

		fake.mu.Lock()
		defer fake.mu.Unlock()

		require.False(rt, fake.users["smith@example.com"])
	})
}
