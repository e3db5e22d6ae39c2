package desk_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/desk"
)

// crowded is a desk of 200 agents with 4 slots each, and 2,800 conversations: 800
// with an agent, 2,000 that wait.
func crowded(tb testing.TB) *desk.Machine {
	tb.Helper()

	m := desk.New(under(), epoch())
	slots := 4

	for n := range 200 {
		_, err := m.PutAgent(signals.AgentWord{
			ID: fmt.Sprintf("agent-%03d@example.com", n), Name: fmt.Sprintf("Agent Number %d", n), Slots: &slots,
			Skills: []string{"billing", "german"}[:n%3],
		}, epoch())
		require.NoError(tb, err)
	}

	ask := func(n int) {
		m.Apply(signals.Ask{
			Kind: request, Key: long(n), Session: 1, Number: 1, At: at(time.Duration(n) * time.Millisecond),
			Need: &signals.Need{
				Since: at(time.Duration(n) * time.Millisecond), Skills: []string{"billing"}[:n%4/3], Timeout: 30 * time.Second, Rounds: 3,
				Pause: 30 * time.Second,
			},
		}, at(time.Minute))
	}

	for n := range 800 {
		ask(n)
	}

	m.Settle(at(time.Minute))

	for m.Owes() {
		for _, said := range m.TakeOffers(100, at(time.Minute)) {
			m.Apply(signals.Ask{
				Kind: accepted, Key: said.Key, Session: 1, Number: 2, Attempt: said.Offer.Attempt, Agent: said.Offer.Agent, At: at(time.Minute),
			}, at(time.Minute))
		}

		m.Dispatched(nil, at(time.Minute))
	}

	// In 20 batches, as they come by signals.
	begin := time.Now()

	for batch := range 20 {
		for i := range 100 {
			ask(800 + batch*100 + i)
		}

		m.Tick(at(time.Minute))
		_, _, _ = m.NextDeadline(at(time.Minute))
	}

	tb.Logf("2,000 asks in 20 batches: %s", time.Since(begin))
	require.Less(tb, time.Since(begin), time.Second)

	return m
}

func long(n int) signals.Key {
	return signals.Key{Source: "livechat", Conversation: fmt.Sprintf("PJ0MRSHTDG-%06d", n)}
}

// TestScale: the state of a desk with much to do fits into the input of a run, by
// far.
func TestScale(t *testing.T) {
	t.Parallel()

	m := crowded(t)
	view := m.View(at(time.Minute))
	require.GreaterOrEqual(t, view.Waiting, 2000)
	require.Equal(t, 2800, view.Waiting+view.Active+view.Offered)

	state := stateJSON(t, m)
	t.Logf("%d waiting, %d active, %d agents: %d bytes", view.Waiting, view.Active, len(view.Agents), len(state))
	require.Less(t, len(state), 700<<10)

	begin := time.Now()
	resumed := again(t, m, at(time.Minute))
	t.Logf("resumed in %s", time.Since(begin))
	require.JSONEq(t, state, stateJSON(t, resumed))

	// The whole drains, one after the other.
	begin = time.Now()
	drained := 0

	for now := at(time.Minute); ; now = now.Add(time.Second) {
		view := m.View(now)
		if view.Waiting+view.Active+view.Offered == 0 {
			break
		}

		for n := range 2800 {
			key := long(n)
			if m.Position(key, now).Status != signals.DeskActive {
				continue
			}

			m.Apply(signals.Ask{Kind: release, Key: key, Session: 1, Number: 3, At: now}, now)
			drained++
		}

		m.Tick(now)

		for m.Owes() {
			for _, said := range m.TakeOffers(100, now) {
				if said.Offer.Kind == signals.OfferAgent {
					m.Apply(signals.Ask{
						Kind: accepted, Key: said.Key, Session: 1, Number: 2, Attempt: said.Offer.Attempt, Agent: said.Offer.Agent, At: now,
					}, now)
				}
			}

			m.Dispatched(nil, now)
		}
	}

	t.Logf("drained %d in %s", drained, time.Since(begin))
	require.Equal(t, 2800, drained)
	require.Less(t, len(stateJSON(t, m)), 200<<10, "what is over is remembered within bounds")
}

// TestWorstCase: whatever conversations and platforms say, the state fits.
func TestWorstCase(t *testing.T) {
	t.Parallel()

	const limit = 2 << 20

	hostile := strings.Repeat("<", 250)
	m := desk.New(under(), epoch())
	slots := 1000

	for n := range 700 {
		m.HearAgent(signals.AgentWord{
			ID: fmt.Sprintf("%03d%s", n, hostile), Name: hostile, Slots: &slots, Status: signals.AgentAccepting,
			Skills: []string{strings.Repeat("<", 64), strings.Repeat("&", 64)},
		}, epoch())
	}

	var candidates []signals.Candidate
	for n := range 60 {
		candidates = append(candidates, signals.Candidate{AgentID: fmt.Sprintf("%03d%s", n, hostile)})
	}

	for n := range 6000 {
		need := &signals.Need{
			Since: epoch(), Rounds: 3, Not: hostile, Only: hostile, Visitor: hostile, Candidates: candidates,
			Skills: []string{fmt.Sprintf("%d%s", n, strings.Repeat("<", 60))}, Priority: n,
		}
		kind, agent := request, ""

		if n%3 == 0 {
			kind, agent = accepted, fmt.Sprintf("%d%s", n, hostile)
		}

		m.Apply(signals.Ask{
			Kind: kind, Agent: agent, Session: 1, Number: 1, Need: need,
			Key: signals.Key{Source: strings.Repeat("s", 40), Conversation: fmt.Sprintf("%d%s", n, strings.Repeat("<", 100))},
		}, epoch())
	}

	m.Tick(epoch())

	view := m.View(epoch())
	size := len(stateJSON(t, m))
	t.Logf("%d waiting, %d active, %d agents: %d bytes", view.Waiting, view.Active, len(view.Agents), size)
	require.Less(t, size, limit)
	require.Positive(t, view.Waiting)
	require.NotEmpty(t, view.Agents)
}

func BenchmarkTick(b *testing.B) {
	m := crowded(b)

	for b.Loop() {
		m.Tick(at(time.Minute))
	}
}

func BenchmarkCard(b *testing.B) {
	m := crowded(b)

	for b.Loop() {
		desk.Card(m, at(time.Minute))
	}
}
