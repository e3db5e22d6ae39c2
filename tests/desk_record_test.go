package tests_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/desk"
	"github.com/parleyhq/parley/workflows/policy"
)

// deskHistories holds the recorded runs of desks, beside the test that replays
// them.
const deskHistories = "../workflows/desk/testdata"

// deskStage is a desk on the real server, whose conversations are played here.
type deskStage struct {
	*bench

	t     *testing.T
	name  string
	queue string

	mutex sync.Mutex
	said  []desk.Addressed
	gone  map[string]bool
	open  []signals.Key
	fails atomic.Int32
	// answers makes conversations accept, and be over, at once.
	answers bool
}

// TestRecordDesk plays desks on the real server and keeps the histories of their
// runs: `go test ./tests -run TestRecordDesk -record`.
func TestRecordDesk(t *testing.T) {
	t.Parallel()

	if !*record {
		t.Skip("records only when asked to, with -record")
	}

	require.NoError(t, os.MkdirAll(deskHistories, 0o750))

	b := newBench(t)

	for _, path := range []struct {
		name string
		runs int
		take func(s *deskStage)
		// queue is where it begins, with the real worker; empty for one of its own.
		queue string
	}{
		{name: "third-agent", runs: 1, take: deskThirdAgent},
		{name: "drained", runs: 1, take: deskDrained},
		{name: "commanded", runs: 1, take: deskCommanded},
		{name: "started-empty", runs: 1, take: deskStartedEmpty},
		{name: "started-again", runs: 1, take: deskStartedAgain},
		{name: "webhook", runs: 1, take: deskWebhook},
		{name: "dispatch-failing", runs: 1, take: deskDispatchFailing},
		{name: "cancelled", runs: 1, take: deskCancelled},
		{name: "continued-after-a-day", runs: 2, take: deskContinued},
		{name: "terminated", runs: 1, take: deskTerminated},
		{name: "paused", runs: 1, take: deskPaused},
		{name: "given", runs: 1, take: deskGiven},
		{name: "saved", runs: 1, take: deskSaved},
		// Desks had their tasks among those of conversations once.
		{name: "moved", runs: 2, take: deskMoved, queue: signals.TaskQueue},
	} {
		t.Run(path.name, func(t *testing.T) {
			t.Parallel()

			stage := &deskStage{bench: b, t: t, name: path.name, queue: cmp.Or(path.queue, "desk-"+path.name), gone: map[string]bool{}}
			if path.queue == "" {
				stage.work()
			}

			path.take(stage)

			for i, run := range b.runs(t, signals.DeskWorkflowID(path.name), path.runs) {
				history := fetchHistory(t, b.client, signals.DeskWorkflowID(path.name), run)
				t.Logf("run %d: %d history events", i+1, len(history.GetEvents()))
				writeHistory(t, filepath.Join(deskHistories, fmt.Sprintf("%s.%d.json", path.name, i+1)), history)
			}
		})
	}
}

func (s *deskStage) work() {
	running := sdkworker.New(s.client, s.queue, sdkworker.Options{Identity: anonymous})
	flows := &desk.Workflows{Under: func(name string) policy.DeskSnapshot {
		snapshot := policy.DeskSnapshot{Desk: name, Strategy: policy.StrategyRoundRobin, Slots: 1, Asks: name == "webhook"}
		snapshot.AskTimeout = policy.Duration(5 * time.Second)

		for _, id := range []string{"a", "b", "c"} {
			snapshot.Agents = append(snapshot.Agents, policy.DeskAgent{ID: id, Slots: 1, Status: signals.AgentAccepting})
		}

		return snapshot
	}}
	flows.Register(running)
	running.RegisterActivityWithOptions(s.dispatch, activity.RegisterOptions{Name: desk.DispatchActivity})
	running.RegisterActivityWithOptions(func(context.Context, string) ([]signals.Key, error) { return s.open, nil },
		activity.RegisterOptions{Name: desk.SurvivorsActivity})
	running.RegisterActivityWithOptions(s.lost, activity.RegisterOptions{Name: desk.LostActivity})
	running.RegisterActivityWithOptions(func(_ context.Context, choice desk.Choice) ([]string, error) {
		if choice.Asks[0].Key.Conversation == "chat-2" {
			return nil, errors.New("503")
		}

		return []string{"c"}, nil
	}, activity.RegisterOptions{Name: desk.ChooseActivity})
	require.NoError(s.t, running.Start())
	s.t.Cleanup(running.Stop)
}

// lost finds that those who are gone are not open.
func (s *deskStage) lost(_ context.Context, look desk.Look) ([]signals.Key, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()

	var lost []signals.Key

	for _, key := range look.Keys {
		if s.gone[key.Conversation] {
			lost = append(lost, key)
		}
	}

	return lost, nil
}

func (s *deskStage) dispatch(ctx context.Context, payload desk.Dispatch) (desk.Dispatched, error) {
	if s.fails.Add(-1) >= 0 {
		return desk.Dispatched{}, errors.New("away")
	}

	s.mutex.Lock()
	defer s.mutex.Unlock()

	var (
		done desk.Dispatched
		asks []signals.Ask
	)

	for _, said := range payload.Offers {
		s.said = append(s.said, said)

		switch {
		case s.gone[said.Key.Conversation]:
			done.Gone = append(done.Gone, said.Key)
		case s.answers && said.Offer.Kind == signals.OfferAgent:
			ask := signals.Ask{
				Kind: signals.AskAccepted, Key: said.Key, Session: 1, Number: said.Offer.Number + 1, Attempt: said.Offer.Attempt,
				Agent: said.Offer.Agent, At: time.Now().UTC(),
			}
			asks = append(asks, ask)
			ask.Kind, ask.Number = signals.AskRelease, ask.Number+1
			asks = append(asks, ask)
		}
	}

	if len(asks) == 0 {
		return done, nil
	}

	return done, s.client.SignalWorkflow(ctx, signals.DeskWorkflowID(s.name), "", signals.AsksSignal, deskBatch(asks...))
}

func deskBatch(asks ...signals.Ask) signals.AskBatch {
	batch := signals.AskBatch{Summary: fmt.Sprintf("%s and others, %d in all", asks[0].Kind, len(asks))}

	for i := range asks {
		if raw, err := json.Marshal(asks[i]); err == nil {
			batch.Asks = append(batch.Asks, raw)
		}
	}

	return batch
}

func (s *deskStage) tell(asks ...signals.Ask) {
	s.t.Helper()

	_, err := s.client.SignalWithStartWorkflow(s.t.Context(), signals.DeskWorkflowID(s.name), signals.AsksSignal, deskBatch(asks...),
		client.StartWorkflowOptions{TaskQueue: s.queue, WorkflowTaskTimeout: 2 * time.Second}, signals.DeskWorkflow)
	require.NoError(s.t, err)
}

func (s *deskStage) ask(chat, number int, kind signals.AskKind, agent string) signals.Ask {
	now := time.Now().UTC()

	return signals.Ask{
		Kind: kind, Key: signals.Key{Source: "shop", Conversation: fmt.Sprintf("chat-%d", chat)}, Session: 1, Number: int64(number),
		Attempt: int64(number) - 1, Agent: agent, At: now,
		Need: &signals.Need{Since: now, Timeout: 400 * time.Millisecond, Rounds: 2, Pause: 300 * time.Millisecond},
	}
}

// hears waits until conversations were told so.
func (s *deskStage) hears(chat int, kind signals.OfferKind, agent string) {
	s.t.Helper()

	require.Eventually(s.t, func() bool {
		s.mutex.Lock()
		defer s.mutex.Unlock()

		for _, said := range s.said {
			if said.Key.Conversation == fmt.Sprintf("chat-%d", chat) && said.Offer.Kind == kind && said.Offer.Agent == agent {
				return true
			}
		}

		return false
	}, 40*time.Second, 20*time.Millisecond, "chat-%d: %s %s", chat, kind, agent)
}

func (s *deskStage) command(name string, arg, answer any) {
	s.t.Helper()

	handle, err := s.client.UpdateWorkflow(s.t.Context(), client.UpdateWorkflowOptions{
		WorkflowID: signals.DeskWorkflowID(s.name), UpdateName: name, Args: []any{arg}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	require.NoError(s.t, err)
	require.NoError(s.t, handle.Get(s.t.Context(), answer))
}

func deskThirdAgent(s *deskStage) {
	s.tell(s.ask(1, 1, signals.AskRequest, ""))
	s.hears(1, signals.OfferAgent, "a")
	s.tell(s.ask(1, 2, signals.AskExpired, "a"))
	s.hears(1, signals.OfferAgent, "b")
	s.tell(s.ask(1, 3, signals.AskDeclined, "b"))
	s.hears(1, signals.OfferAgent, "c")
	s.tell(s.ask(1, 4, signals.AskDeclined, "c"))
	s.hears(1, signals.OfferRound, "")
	s.tell(s.ask(1, 9, signals.AskAccepted, "b"))
	s.tell(s.ask(1, 10, signals.AskRelease, ""))
}

func deskDrained(s *deskStage) {
	const people = 200

	s.answers = true
	s.tell(s.ask(0, 1, signals.AskRequest, ""))
	s.hears(0, signals.OfferAgent, "a")

	for first := 1; first < people; first += 20 {
		var asks []signals.Ask
		for n := first; n < min(first+20, people); n++ {
			asks = append(asks, s.ask(n, 1, signals.AskRequest, ""))
		}

		s.tell(asks...)
	}

	require.Eventually(s.t, func() bool {
		answer, err := s.client.QueryWorkflow(s.t.Context(), signals.DeskWorkflowID(s.name), "", signals.StateQuery)
		require.NoError(s.t, err)

		var view signals.DeskView

		require.NoError(s.t, answer.Get(&view))

		return view.Waiting+view.Offered+view.Active == 0
	}, 30*time.Second, 100*time.Millisecond)
}

func deskCommanded(s *deskStage) {
	two := 2

	var (
		agent  signals.DeskAgent
		chosen signals.Chosen
		none   struct{}
	)

	s.tell(s.ask(1, 1, signals.AskRequest, ""))
	s.hears(1, signals.OfferAgent, "a")
	s.command(signals.AgentUpdate, signals.AgentWord{ID: "d", Slots: &two}, &agent)
	s.command(signals.ChooseUpdate, signals.Choices{Choices: []signals.ChoiceAsk{{
		Key: signals.Key{Source: "shop", Conversation: "chat-2"}, Candidates: []signals.Candidate{{AgentID: "d"}},
	}}}, &chosen)
	require.Equal(s.t, []string{"d"}, chosen.Agents)
	s.command(signals.RemoveAgentUpdate, signals.AgentWord{ID: "a"}, &agent)
	s.hears(1, signals.OfferGone, "a")
	s.command(signals.ReloadUpdate, none, &none)
	require.NoError(s.t, s.client.SignalWorkflow(s.t.Context(), signals.DeskWorkflowID(s.name), "", signals.AgentsSignal,
		signals.AgentBatch{Agents: []json.RawMessage{json.RawMessage(`{"id":"b","status":"offline"}`), json.RawMessage(`7`)}}))
	s.tell(s.ask(1, 2, signals.AskDeclined, "a"))
	s.hears(1, signals.OfferAgent, "c")
}

func deskStartedEmpty(s *deskStage) {
	s.open = []signals.Key{{Source: "shop", Conversation: "chat-8"}, {Source: "shop", Conversation: "chat-9"}}
	s.gone["chat-9"] = true
	s.tell(s.ask(1, 1, signals.AskRequest, ""))
	s.hears(8, signals.OfferCheck, "")
	s.tell(s.ask(8, 3, signals.AskAccepted, "a"))
	s.hears(1, signals.OfferAgent, "b")
}

// deskStartedAgain finds one that waits, and may have been offered before.
func deskStartedAgain(s *deskStage) {
	s.open = []signals.Key{{Source: "shop", Conversation: "chat-8"}}
	stated := s.ask(8, 1, signals.AskRequest, "")
	s.tell(s.ask(1, 1, signals.AskAccepted, "a"))
	s.hears(8, signals.OfferCheck, "")
	s.tell(stated)
	s.hears(8, signals.OfferAgent, "b")
	s.tell(s.ask(8, 2, signals.AskExpired, "z"))
	s.hears(8, signals.OfferAgent, "c")
	s.tell(s.ask(8, 3, signals.AskAccepted, "c"))
}

func deskWebhook(s *deskStage) {
	s.tell(s.ask(1, 1, signals.AskRequest, ""))
	s.hears(1, signals.OfferAgent, "c")
	s.tell(s.ask(2, 1, signals.AskRequest, ""))
	s.hears(2, signals.OfferAgent, "a")
}

func deskDispatchFailing(s *deskStage) {
	s.fails.Store(6)
	s.tell(s.ask(1, 1, signals.AskRequest, ""))
	s.hears(1, signals.OfferAgent, "a")
}

func deskCancelled(s *deskStage) {
	s.tell(s.ask(1, 1, signals.AskAccepted, "a"), s.ask(2, 1, signals.AskAccepted, "b"), s.ask(3, 1, signals.AskAccepted, "c"))
	s.tell(s.ask(4, 1, signals.AskRequest, ""))
	require.NoError(s.t, s.client.CancelWorkflow(s.t.Context(), signals.DeskWorkflowID(s.name), ""))
	s.completed(s.t, signals.DeskWorkflowID(s.name))
	s.hears(4, signals.OfferNone, "")
}

func deskContinued(s *deskStage) {
	s.tell(s.ask(1, 1, signals.AskAccepted, "a"), s.ask(2, 1, signals.AskRelease, ""))
	s.gone["chat-1"] = true
	s.skipTime(s.t, signals.DeskWorkflowID(s.name), 3) // two looks at who is open, and a day
	s.runs(s.t, signals.DeskWorkflowID(s.name), 2)
	s.tell(s.ask(3, 1, signals.AskRequest, ""))
	s.hears(3, signals.OfferAgent, "a") // chat-1 runs no more
}

// deskMoved has nobody to give, to conversations that do not run.
func deskMoved(s *deskStage) {
	const people = 200

	for n := range people {
		s.tell(s.ask(n, 1, signals.AskRequest, ""))
	}

	s.runs(s.t, signals.DeskWorkflowID(s.name), 2)
}

// deskTerminated looks after a minute who is still open.
func deskTerminated(s *deskStage) {
	s.gone["chat-1"] = true
	s.tell(s.ask(1, 1, signals.AskAccepted, "a"), s.ask(2, 1, signals.AskAccepted, "b"), s.ask(3, 1, signals.AskAccepted, "c"))
	s.tell(s.ask(4, 1, signals.AskRequest, ""))
	s.skipTime(s.t, signals.DeskWorkflowID(s.name), 2) // it may look for those who survived first
	s.hears(4, signals.OfferAgent, "a")
	s.tell(s.ask(4, 2, signals.AskAccepted, "a"))
}

// deskPaused: b becomes free within the pause, and the next comes after b.
func deskPaused(s *deskStage) {
	s.tell(s.ask(8, 1, signals.AskAccepted, "c"), s.ask(9, 1, signals.AskAccepted, "b"), s.ask(1, 1, signals.AskRequest, ""))
	s.hears(1, signals.OfferAgent, "a")
	s.tell(s.ask(1, 2, signals.AskExpired, "a"))
	s.hears(1, signals.OfferRound, "")
	s.tell(s.ask(9, 2, signals.AskRelease, ""))
	s.hears(1, signals.OfferAgent, "b")
	time.Sleep(400 * time.Millisecond) // longer than a pause
	s.tell(s.ask(1, 3, signals.AskExpired, "b"))
	require.Eventually(s.t, func() bool {
		s.mutex.Lock()
		defer s.mutex.Unlock()

		last := s.said[len(s.said)-1].Offer

		return last.Kind == signals.OfferAgent && last.Round == 2
	}, 40*time.Second, 20*time.Millisecond)
}

// deskGiven: a conversation is given to somebody who is offline.
func deskGiven(s *deskStage) {
	s.tell(s.ask(1, 1, signals.AskAccepted, "a"))

	var agent signals.DeskAgent

	s.command(signals.AgentUpdate, signals.AgentWord{ID: "b", Status: signals.AgentOffline}, &agent)

	given := s.ask(1, 2, signals.AskAccepted, "b")
	given.Given = true
	s.tell(given)
	s.hears(1, signals.OfferGone, "b")
}

// deskSaved: whose agent is silent gets the slot that becomes free, and not who is
// first in line; who is only more urgent is not offered to the same agent again.
func deskSaved(s *deskStage) {
	s.tell(s.ask(1, 1, signals.AskAccepted, "a"), s.ask(2, 1, signals.AskAccepted, "b"), s.ask(3, 1, signals.AskAccepted, "c"))
	s.tell(s.ask(4, 1, signals.AskRequest, ""))

	stuck := s.ask(1, 1, signals.AskAccepted, "a")
	stuck.Wants = true
	s.tell(stuck)
	s.hears(1, signals.OfferFree, "a")
	s.tell(s.ask(2, 2, signals.AskRelease, ""))

	taken := s.ask(1, 2, signals.AskRequest, "")
	taken.Need.Head, taken.Need.Not = true, "a"

	require.Eventually(s.t, func() bool {
		s.mutex.Lock()
		defer s.mutex.Unlock()

		return s.said[len(s.said)-1].Offer.Free
	}, 20*time.Second, 20*time.Millisecond)
	s.tell(taken)
	s.hears(1, signals.OfferAgent, "b")
	s.hears(4, signals.OfferAgent, "a")

	urgent := s.ask(4, 2, signals.AskDeclined, "a")
	urgent.Need.Priority = 1
	s.tell(urgent)
	s.hears(4, signals.OfferRound, "")
}
