package tests_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// racing is how many conversations are raced for at a time.
const racing = 16

// raceScenes have desks with room for all of them with either agent.
func raceScenes() []scene {
	return []scene{
		{name: "crowd", desk: "strategy: round_robin, agents: [{id: crowd-a, slots: 16}, {id: crowd-b, slots: 16}]"},
		{
			name: "brink", policy: "accept: {timeout: 3s, rounds: 5, pause: 100ms}",
			desk: "strategy: round_robin, agents: [{id: brink-a, slots: 16}, {id: brink-b, slots: 16}]",
		},
	}
}

// duel is what came of two agents who accepted a conversation at once.
type duel struct {
	*visit

	// invited was asked at the time, other was not.
	invited, other string
	// statuses and bodies are the answers to the two, in this order.
	statuses [2]int
	bodies   [2][]byte
}

// fight lets both accept, at the same moment.
func (d *duel) fight() {
	path := conversationPath(d.key) + "/accept"

	together(
		func() { d.statuses[0], d.bodies[0] = d.do(http.MethodPost, path, by(d.invited)) },
		func() { d.statuses[1], d.bodies[1] = d.do(http.MethodPost, path, by(d.other)) },
	)
}

// visitors come one after the other, and wait for nothing in between.
func (f *floor) visitors(source string) []*visit {
	f.t.Helper()

	visits := make([]*visit, racing)
	for i := range visits {
		visits[i] = f.visitor(source, strconv.Itoa(i))
	}

	return visits
}

// duelOf waits until somebody is asked.
func (v *visit) duelOf(a, b string) (*duel, time.Time) {
	v.t.Helper()

	view := v.until("offered", is(signals.StatusOffered))
	d := &duel{visit: v, invited: view.Offered, other: a}

	if view.Offered == a {
		d.other = b
	}

	return d, view.Invitations[len(view.Invitations)-1].ExpiresAt
}

// detail is why an answer is 409.
func (d *duel) detail(answer int) string {
	d.t.Helper()
	require.Equal(d.t, http.StatusConflict, d.statuses[answer], string(d.bodies[answer]))

	var told problem

	require.NoError(d.t, json.Unmarshal(d.bodies[answer], &told))
	require.Equal(d.t, "urn:parley:problem:refused", told.Type)

	return told.Detail
}

// checkManyAccept: of two agents who accept at once, in many conversations at once,
// the invited one has each, and the other is told so.
func checkManyAccept(f *floor) {
	visits, duels := f.visitors("crowd"), make([]*duel, racing)
	loads := map[string]int{}

	for i := range duels {
		duels[i], _ = visits[i].duelOf("crowd-a", "crowd-b")
		loads[duels[i].invited]++
	}

	require.Equal(f.t, map[string]int{"crowd-a": racing / 2, "crowd-b": racing / 2}, loads, "one after the other")
	f.loads("crowd", 0, racing, 0, loads)

	var (
		fighting sync.WaitGroup
		start    = make(chan struct{})
	)

	for _, d := range duels {
		fighting.Go(func() {
			<-start
			d.fight()
		})
	}

	close(start)
	fighting.Wait()

	for _, d := range duels {
		require.Equal(f.t, http.StatusOK, d.statuses[0], string(d.bodies[0]))
		require.Regexp(f.t, "^the conversation is (with|offered to) "+d.invited+`\b`, d.detail(1))

		view := d.until("taken", has(d.invited))
		require.Equal(f.t, []string{d.invited + " accepted"}, invitations(&view))
	}

	f.loads("crowd", 0, 0, racing, loads)

	for _, d := range duels {
		d.commands("close", map[string]any{})
	}

	f.loads("crowd", 0, 0, 0, nil)
}

// checkAcceptAndExpire: both agents accept as the invitation of one of them expires,
// some before, some after, and some in the same moment. Whichever wins, one of them
// has the conversation or neither, and the desk counts the same.
func checkAcceptAndExpire(f *floor) {
	const (
		spread = 400 * time.Millisecond
		after  = 300 * time.Millisecond
	)

	var (
		fighting sync.WaitGroup
		visits   = f.visitors("brink")
		duels    = make([]*duel, racing)
	)

	for i := range duels {
		d, expires := visits[i].duelOf("brink-a", "brink-b")
		duels[i] = d
		moment := expires.Add(after - spread*time.Duration(i)/racing)

		fighting.Go(func() {
			time.Sleep(time.Until(moment)) // the moment is what is tested
			d.fight()
		})
	}

	fighting.Wait()

	var won, expired, next int

	for _, d := range duels {
		taken, over := `^the conversation is (with|offered to) `, `|^the invitation to \S+ is over, expired`

		switch {
		case d.statuses[0] == http.StatusOK:
			won++

			require.Regexp(f.t, taken+d.invited+`\b`, d.detail(1))
			require.Equal(f.t, d.invited, d.until("has it", is(signals.StatusActive)).Agent)
		case d.statuses[1] == http.StatusOK:
			next++

			require.Regexp(f.t, taken+d.other+`\b`+over, d.detail(0))
			require.Equal(f.t, d.other, d.until("has it", is(signals.StatusActive)).Agent)
		default:
			expired++

			require.Regexp(f.t, taken+d.other+`\b`+over, d.detail(0))
			require.Regexp(f.t, `^the conversation is offered to |^no invitation is out to `+d.other+over, d.detail(1))
		}
	}

	f.t.Logf("the invited agent won %d times, the next one %d times, nobody %d times", won, next, expired)

	// Whom nobody has is offered on, until somebody takes it.
	loads := map[string]int{}

	for _, d := range duels {
		agent := d.taken()
		loads[agent]++
	}

	f.loads("brink", 0, 0, racing, loads)

	for _, d := range duels {
		view, ok := f.view(d.key)
		require.True(f.t, ok)
		require.Len(f.t, timeline(&view, signals.AgentAccepted), 1, "%s", d.key)

		asked := invitations(&view)
		require.Equal(f.t, view.Agent+" accepted", asked[len(asked)-1], "%s: nobody has it who was not asked", d.key)
		d.commands("close", map[string]any{})
	}

	f.loads("brink", 0, 0, 0, nil)
}

// taken is who has the conversation; where nobody has it, whoever is asked accepts.
func (v *visit) taken() string {
	v.t.Helper()

	for range 10 {
		view := v.until("taken, or offered", func(w signals.View) bool { return w.Agent != "" || w.Offered != "" })
		if view.Agent != "" {
			return view.Agent
		}

		// It may expire meanwhile, and be offered to the other.
		v.do(http.MethodPost, conversationPath(v.key)+"/accept", by(view.Offered))
	}

	require.Fail(v.t, "nobody can take it", "%s", v.key)

	return ""
}
