package desk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/desk"
	"github.com/parleyhq/parley/workflows/policy"
)

// TestDeskRuns: the first agent is silent, the second declines, the third takes
// it; then another one waits.
func TestDeskRuns(t *testing.T) {
	t.Parallel()

	w := newWorld(t, staff(1, "a", "b", "c"))
	w.say(0, 1, request, "", 0)
	w.after(time.Second, func() {
		require.Equal(t, []string{"1 offer a"}, w.said())

		offer := w.dispatched[0].Offers[0].Offer
		require.Equal(t, "support", offer.Desk)
		require.Equal(t, int64(1), offer.Number)
		require.Equal(t, int64(1), offer.Attempt)
		require.Equal(t, at(30*time.Second), offer.Until)
	})
	w.say(30*time.Second, 1, expired, "a", 1)
	w.say(40*time.Second, 1, declined, "b", 2)
	w.say(50*time.Second, 1, accepted, "c", 3)
	w.after(time.Minute, func() {
		require.Equal(t, signals.DeskActive, w.status(1))

		view := w.view()
		require.Equal(t, "support", view.Desk)
		require.Equal(t, 1, view.Active)
		require.Len(t, view.Agents, 3)

		var answer signals.Availability

		w.query(&answer, signals.AvailabilityQuery, "")
		require.True(t, *answer.Available)
		w.query(&answer, signals.AvailabilityQuery, "french")
		require.False(t, *answer.Available)
	})
	w.say(2*time.Minute, 1, release, "", 3)
	w.after(3*time.Minute, func() { require.Empty(t, w.status(1)) })
	w.stop(4 * time.Minute)
	w.run(nil)
	require.Equal(t, []string{"1 offer a", "1 offer b", "1 offer c"}, w.said())
}

// TestClocks: doubts, pauses and wrap-ups fire by the one timer.
func TestClocks(t *testing.T) {
	t.Parallel()

	w := newWorld(t, staff(1, "a"), func(s *policy.DeskSnapshot) { s.Wrapup = policy.Duration(time.Minute) })
	w.say(0, 1, request, "", 0)
	w.after(46*time.Second, func() { require.Equal(t, []string{"1 offer a", "1 check"}, w.said()) })
	w.say(50*time.Second, 1, declined, "a", 1)
	w.after(71*time.Second, func() {
		require.Equal(t, []string{"1 offer a", "1 check", "1 round 1", "1 offer a"}, w.said())
	})
	w.say(80*time.Second, 1, accepted, "a", 2)
	w.say(90*time.Second, 2, request, "", 0)
	w.say(100*time.Second, 1, release, "", 2)
	w.after(159*time.Second, func() { require.Equal(t, signals.DeskWaits, w.status(2)) })
	w.after(161*time.Second, func() { require.Equal(t, signals.DeskOffered, w.status(2)) })
	w.after(162*time.Second, func() { w.gone[key(2)] = true })
	w.after(5*time.Minute, func() { require.Empty(t, w.status(2), "terminated, its slot is free") })
	w.stop(6 * time.Minute)
	w.run(nil)
	require.Equal(t, 0, w.view().Offered)
}

// TestUnreadableSignals cost only themselves.
func TestUnreadableSignals(t *testing.T) {
	t.Parallel()

	w := newWorld(t, staff(1, "a"))
	w.after(0, func() {
		good, err := json.Marshal(w.statement(1, request, "", 0))
		require.NoError(t, err)

		w.SignalWorkflow(signals.AsksSignal, 7)
		w.SignalWorkflow(signals.AsksSignal, map[string]any{"asks": 7})
		w.SignalWorkflow(signals.AgentsSignal, "nonsense")
		w.SignalWorkflow(signals.AsksSignal, signals.AskBatch{Asks: []json.RawMessage{
			json.RawMessage(`"text"`), json.RawMessage(`{"kind":7}`), good, json.RawMessage(`{"kind":"maybe"}`), json.RawMessage(`null`),
		}})

		// A bare statement, and a bare word, are as good.
		w.SignalWorkflow(signals.AsksSignal, w.statement(2, accepted, "b", 0))
		w.SignalWorkflow(signals.AgentsSignal, signals.AgentWord{ID: "a", Status: signals.AgentNotAccepting})
	})
	w.after(time.Second, func() {
		require.Equal(t, signals.DeskPauses, w.status(1), "a accepts no more")
		require.Equal(t, signals.DeskActive, w.status(2))
	})
	w.after(2*time.Second, func() {
		w.SignalWorkflow(signals.AgentsSignal, signals.AgentBatch{Agents: []json.RawMessage{
			json.RawMessage(`[]`), json.RawMessage(`{"id":"a","status":"accepting"}`),
		}})
	})
	w.after(3*time.Second, func() { require.Equal(t, signals.DeskOffered, w.status(1)) })
	w.stop(4 * time.Second)
	w.run(nil)
}

// TestSurvivors: a desk that was started empty asks those it may still have, and
// gives no slot away that one of them has.
func TestSurvivors(t *testing.T) {
	t.Parallel()

	w := newWorld(t, staff(1, "a"))
	w.survivors = []signals.Key{key(1), key(2), key(3)}
	w.gone[key(3)] = true
	w.numbers[key(1)] = 6
	w.say(0, 2, request, "", 0)
	w.after(time.Second, func() {
		require.Equal(t, []string{"1 check", "3 check"}, w.said())
		require.Equal(t, signals.DeskWaits, w.status(2))
	})
	w.say(2*time.Second, 1, accepted, "a", 4)
	w.after(3*time.Second, func() {
		require.Equal(t, signals.DeskActive, w.status(1))
		require.Equal(t, signals.DeskWaits, w.status(2))
	})
	w.say(time.Minute, 1, release, "", 4)
	w.after(61*time.Second, func() { require.Equal(t, signals.DeskOffered, w.status(2)) })
	w.stop(62 * time.Second)
	w.run(nil)
}

// TestSurvivorsCannotBeListed: the desk works, and asks again.
func TestSurvivorsCannotBeListed(t *testing.T) {
	t.Parallel()

	w := newWorld(t, staff(1, "a"))
	w.failSurvivors = 7
	w.survivors = []signals.Key{key(5)}
	w.say(0, 1, request, "", 0)
	w.after(4*time.Second, func() { require.Equal(t, signals.DeskWaits, w.status(1)) })
	w.after(6*time.Second, func() { require.Equal(t, signals.DeskOffered, w.status(1)) })
	w.after(35*time.Second, func() { require.Contains(t, w.said(), "5 check") })
	w.stop(36 * time.Second)
	w.run(nil)
}

func TestUpdates(t *testing.T) {
	t.Parallel()

	w := newWorld(t, staff(1, "a"))
	done := 0
	succeeds := func(check func(result any)) func(any, error) {
		return func(result any, err error) {
			require.NoError(t, err)
			check(result)

			done++
		}
	}
	refused := func(kind, reason string) func(any, error) {
		return func(_ any, err error) {
			var failure *temporal.ApplicationError

			require.ErrorAs(t, err, &failure)
			require.Equal(t, kind, failure.Type())
			require.Contains(t, failure.Message(), reason)

			done++
		}
	}
	two, wrong := 2, -1

	w.say(0, 1, request, "", 0)
	w.say(time.Second, 2, request, "", 0)
	w.update(2*time.Second, signals.AgentUpdate, signals.AgentWord{ID: "a", Slots: &two, Name: "Agent A"}, succeeds(func(result any) {
		require.Equal(t, "Agent A", result.(signals.DeskAgent).Name)
		require.Equal(t, 2, result.(signals.DeskAgent).Slots)
	}))
	w.after(3*time.Second, func() { require.Equal(t, signals.DeskOffered, w.status(2), "it woke the desk") })
	w.update(4*time.Second, signals.AgentUpdate, signals.AgentWord{ID: "b", Slots: &wrong}, refused(desk.InvalidError, "slots"))
	w.update(5*time.Second, signals.RemoveAgentUpdate, signals.AgentWord{ID: "b"}, refused(signals.RefusedError, "no agent"))
	w.update(6*time.Second, signals.RemoveAgentUpdate, signals.AgentWord{ID: "a"}, succeeds(func(result any) {
		require.True(t, result.(signals.DeskAgent).Removed)
	}))
	w.after(7*time.Second, func() { require.Contains(t, w.said(), "1 gone a removed") })
	w.update(8*time.Second, signals.AgentUpdate, signals.AgentWord{ID: "c"}, succeeds(func(any) {}))
	w.update(9*time.Second, signals.ChooseUpdate, signals.Choices{Choices: []signals.ChoiceAsk{
		{Key: key(8), Candidates: []signals.Candidate{{AgentID: "x"}, {AgentID: "c"}}},
		{Key: key(9), Candidates: []signals.Candidate{{AgentID: "c"}}},
	}}, succeeds(func(result any) {
		require.Equal(t, []string{"c", ""}, result.(signals.Chosen).Agents)
	}))
	w.update(10*time.Second, signals.ChooseUpdate, signals.Choices{Choices: make([]signals.ChoiceAsk, 201)},
		refused(desk.InvalidError, "choices"))
	w.after(11*time.Second, func() {
		require.Equal(t, signals.DeskReserved, w.status(8))
		w.under = under(staff(5, "c", "d"))
	})
	w.update(12*time.Second, signals.ReloadUpdate, struct{}{}, succeeds(func(any) {}))
	w.after(13*time.Second, func() {
		require.Len(t, w.view().Agents, 3)
		require.Equal(t, 5, w.view().Agents[1].Slots)
	})

	// A statement that was acknowledged before a command counts before it.
	w.after(14*time.Second, func() {
		w.signal(w.statement(7, accepted, "e", 0))
		w.SignalWorkflow(signals.AgentsSignal, signals.AgentWord{ID: "d", Status: signals.AgentOffline})
		w.UpdateWorkflow(signals.ChooseUpdate, "raced", &testsuite.TestUpdateCallback{
			OnAccept: func() {},
			OnReject: func(err error) { require.NoError(t, err) },
			OnComplete: func(result any, err error) {
				require.NoError(t, err)
				require.Equal(t, []string{""}, result.(signals.Chosen).Agents, "d is offline")

				done++
			},
		}, signals.Choices{Choices: []signals.ChoiceAsk{{Key: key(6), Candidates: []signals.Candidate{{AgentID: "d"}}}}})
	})
	w.stop(20 * time.Second)
	w.run(nil)
	require.Equal(t, 9, done)
}

// TestContinueAsNew: the next run knows all that this one knew.
func TestContinueAsNew(t *testing.T) {
	t.Parallel()

	w := newWorld(t, staff(1, "a"))
	w.say(0, 1, request, "", 0)
	w.say(time.Second, 1, accepted, "a", 1)
	w.say(2*time.Second, 2, request, "", 0)
	w.say(3*time.Second, 3, request, "", 0)
	w.say(4*time.Second, 3, release, "", 0)
	w.stop(5 * time.Second)
	w.run(nil)

	second := newWorld(t, staff(1, "a"))
	second.SetStartTime(at(5 * time.Second))
	second.numbers = w.numbers
	second.after(time.Second, func() {
		require.Equal(t, signals.DeskActive, second.status(1))
		require.Equal(t, signals.DeskWaits, second.status(2))

		// An old statement comes late.
		old := second.statement(3, request, "", 0)
		old.Number = 1
		second.signal(old)
	})
	second.after(2*time.Second, func() { require.Empty(t, second.status(3)) })
	second.say(3*time.Second, 1, release, "", 1)
	second.after(4*time.Second, func() { require.Equal(t, []string{"2 offer a"}, second.said()) })
	second.stop(5 * time.Second)
	second.run(w.next())
}

// TestContinueInABurst: statements come all the time, something is always under
// way, and the run goes on as a new one all the same; nothing is lost.
func TestContinueInABurst(t *testing.T) {
	t.Parallel()

	const people = 400

	var input *desk.Input

	newest, done := map[int]signals.Ask{}, map[int]bool{}

	for runs := 0; len(done) < people; runs++ {
		require.Less(t, runs, 12)

		w := newWorld(t, staff(4, "a", "b", "c"))
		w.SetStartTime(at(time.Duration(runs) * time.Minute))

		dispatches := 0
		w.answer = func(said desk.Addressed) {
			n := number(t, said.Key)
			if said.Offer.Kind != signals.OfferAgent || said.Offer.Number != newest[n].Number {
				return
			}

			// It is taken and over at once: the desk goes on without a pause.
			require.Equal(t, request, newest[n].Kind)
			newest[n] = signals.Ask{
				Kind: release, Key: said.Key, Session: 1, Number: said.Offer.Number + 1, Attempt: said.Offer.Attempt, At: epoch(),
			}
			done[n] = true
			w.signal(newest[n])

			dispatches++
			if dispatches == 80 {
				// Not from an activity's own goroutine.
				w.RegisterDelayedCallback(func() { w.SetContinueAsNewSuggested(true) }, 0)
			}
		}

		// A server brings what came too late for a run to the next one; here all
		// newest statements are said again, which does no harm.
		w.after(0, func() {
			w.mutex.Lock()
			said := maps.Clone(newest)
			w.mutex.Unlock()

			for n := range len(said) {
				w.signal(said[n])
			}
		})

		for range (people - len(newest)) / 10 {
			w.after(time.Duration(len(newest))*time.Millisecond, func() {
				asks := make([]signals.Ask, 0, 10)

				w.mutex.Lock()

				for range 10 {
					n := len(newest)
					newest[n] = w.statement(n, request, "", 0)
					asks = append(asks, newest[n])
				}

				w.mutex.Unlock()
				w.signal(asks...)
			})
		}

		w.stop(40 * time.Second)

		if input == nil {
			w.run(nil)
		} else {
			w.run(*input)
		}

		next := w.next()
		input = &next
	}

	last := desk.Resume(input.State, under(staff(4, "a", "b", "c")), at(time.Hour))
	for n := range people {
		last.Apply(newest[n], at(time.Hour))
	}

	last.Tick(at(time.Hour))

	view := last.View(at(time.Hour))
	require.Zero(t, view.Waiting+view.Offered+view.Active)
}

func number(t *testing.T, key signals.Key) int {
	t.Helper()

	var n int

	_, err := fmt.Sscanf(key.Conversation, "chat-%d", &n)
	require.NoError(t, err)

	return n
}

// TestQuietDeskContinuesAfterADay, with a timer of its own.
func TestQuietDeskContinuesAfterADay(t *testing.T) {
	t.Parallel()

	w := newWorld(t, staff(1, "a"))
	w.run(nil)
	require.NotNil(t, w.next().State)
	require.True(t, at(24*time.Hour).Equal(w.Now()), "%s", w.Now())
	require.Less(t, int(w.events.Load()), 10, "and it does nothing meanwhile")

	long := newWorld(t, staff(1, "a"))
	long.after(time.Second, func() {
		long.SetCurrentHistoryLength(2000)
		long.signal(long.statement(1, request, "", 0))
	})
	long.run(nil)
	require.NotNil(t, long.next().State)
	require.Empty(t, long.said(), "what is owed goes along")

	again := newWorld(t, staff(1, "a"))
	again.SetStartTime(at(time.Second))
	again.stop(time.Second)
	again.run(long.next())
	require.Equal(t, []string{"1 offer a"}, again.said())
}

// TestDispatchFailsAndRecovers: nothing is lost, and the wait is no busy loop.
func TestDispatchFailsAndRecovers(t *testing.T) {
	t.Parallel()

	w := newWorld(t, staff(2, "a"))
	w.fail = 12

	say := func(offset time.Duration, n int, kind signals.AskKind) {
		w.RegisterDelayedCallback(func() { w.signal(w.statement(n, kind, "", 0)) }, offset)
	}
	say(0, 1, request)
	say(time.Second, 2, request)
	say(20*time.Second, 2, release)
	w.RegisterDelayedCallback(func() {
		require.Equal(t, []string{"1 offer a"}, w.said(), "what holds no more is not said")
	}, 40*time.Second)
	w.RegisterDelayedCallback(func() {
		w.SetContinueAsNewSuggested(true)
		w.signal()
	}, 41*time.Second)
	w.ExecuteWorkflow(signals.DeskWorkflow) // the SDK takes timers of its own for retries
	require.Less(t, int(w.events.Load()), 120)
}

// TestAssignmentWebhook: an answer counts; none, a late one or a wrong one is the
// desk's own choice.
func TestAssignmentWebhook(t *testing.T) {
	t.Parallel()

	w := newWorld(t, staff(1, "a", "b", "c", "d"), asks)
	w.choose = func(choice desk.Choice) ([]string, error) {
		switch len(w.choices) {
		case 1:
			return []string{"c"}, nil
		case 2:
			return nil, errors.New("503")
		case 3:
			return []string{"nobody"}, nil
		default:
			return make([]string, len(choice.Asks)), nil
		}
	}

	for n := range 4 {
		w.say(time.Duration(n)*10*time.Second, n, request, "", 0)
	}

	w.after(50*time.Second, func() {
		require.Equal(t, []string{"0 offer c", "1 offer a", "2 offer b", "3 offer d"}, w.said()[:4])
		require.Len(t, w.choices, 4)
		require.Equal(t, "support", w.choices[0].Desk)
		require.Len(t, w.choices[0].Asks[0].Candidates, 4)
	})
	w.stop(51 * time.Second)
	w.run(nil)
}

// TestCancelled: an operator stops the desk; whoever waits is told.
func TestCancelled(t *testing.T) {
	t.Parallel()

	w := newWorld(t, staff(1, "a"))
	w.say(0, 1, accepted, "a", 0)
	w.say(time.Second, 2, request, "", 0)
	w.say(time.Second, 3, request, "", 0)
	w.after(2*time.Second, func() {
		w.fail = 5 // it waits until it could say so
		w.CancelWorkflow()
	})
	w.run(nil)
	require.NoError(t, w.GetWorkflowError())

	var result desk.Result

	require.NoError(t, w.GetWorkflowResult(&result))
	require.Equal(t, desk.Result{Waiting: 2, Active: 1}, result)
	require.Equal(t, []string{"2 none stopped", "3 none stopped"}, w.said())
}

// TestBadWorkflowID: a run under a foreign id ends at once.
func TestBadWorkflowID(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: "desk:Not a name"})
	w.run(nil)

	var failure *temporal.ApplicationError

	require.ErrorAs(t, w.GetWorkflowError(), &failure)
	require.Equal(t, "BadWorkflowID", failure.Type())
}

// TestEventsPerAssignment counts, as the server would write them, the desk's
// history events from 200 escalations to the last release.
func TestEventsPerAssignment(t *testing.T) {
	t.Parallel()

	const people = 200

	w := newWorld(t, staff(4, "a", "b", "c", "d", "e"))
	assigned := 0

	// Conversations answer in batches, as the courier sends them.
	var answers []signals.Ask

	w.answer = func(said desk.Addressed) {
		if said.Offer.Kind != signals.OfferAgent {
			return
		}

		assigned++
		ask := signals.Ask{
			Kind: accepted, Key: said.Key, Session: 1, Number: 2, Attempt: said.Offer.Attempt, Agent: said.Offer.Agent, At: w.Now(),
		}
		answers = append(answers, ask)
		ask.Kind, ask.Number = release, 3
		answers = append(answers, ask)
	}

	for batch := range 10 {
		w.after(time.Duration(batch)*time.Second, func() {
			asks := make([]signals.Ask, 0, 20)
			for n := range 20 {
				asks = append(asks, w.statement(batch*20+n, request, "", 0))
			}

			w.signal(asks...)
		})
	}

	for tick := range 60 {
		w.after(10*time.Second+time.Duration(tick)*time.Second, func() {
			w.mutex.Lock()
			said := answers
			answers = nil
			w.mutex.Unlock()

			if len(said) > 0 {
				w.signal(said...)
			}
		})
	}

	w.after(80*time.Second, func() {
		require.Equal(t, people, assigned)
		require.Zero(t, w.view().Waiting+w.view().Offered+w.view().Active)
		t.Logf("%d history events for %d assignments: %.2f each", w.events.Load(), people, float64(w.events.Load())/people)
		require.Less(t, int(w.events.Load()), people)
	})
	w.stop(81 * time.Second)
	w.run(nil)
}

// TestDetails: the Temporal UI shows the queue.
func TestDetails(t *testing.T) {
	t.Parallel()

	w := newWorld(t, staff(1, "a"))
	w.say(0, 1, accepted, "a", 0)
	w.say(time.Second, 2, request, "", 0)
	w.after(2*time.Second, func() {
		value, err := w.QueryWorkflow("__temporal_workflow_metadata")
		require.NoError(t, err)

		var metadata sdkpb.WorkflowMetadata

		require.NoError(t, value.Get(&metadata))
		require.Contains(t, metadata.GetCurrentDetails(), "**1 waiting**, 0 offered, 1 active")
		require.Contains(t, metadata.GetCurrentDetails(), "| 1 | shop/chat\\-2 | waiting |")
	})
	w.stop(3 * time.Second)
	w.run(nil)
}
