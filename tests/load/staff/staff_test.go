package staff_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/tests/load/drive"
	"github.com/parleyhq/parley/tests/load/staff"
	"github.com/parleyhq/parley/tests/load/trace"
)

var begin = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // a constant

func ms(n int) time.Time { return begin.Add(time.Duration(n) * time.Millisecond) }

func times(offsets ...int) []time.Time {
	out := make([]time.Time, 0, len(offsets))
	for _, n := range offsets {
		out = append(out, ms(n))
	}

	return out
}

func TestBookFindsWhatIsGivenTwice(t *testing.T) {
	t.Parallel()

	book := staff.NewBook(2)
	take := func(conversation, agent string) error {
		fresh, err := book.Take(conversation, agent)
		require.Equal(t, err == nil, fresh)

		return err
	}

	require.NoError(t, take("1", "a"))
	require.NoError(t, take("2", "a"))
	require.ErrorIs(t, take("3", "a"), staff.ErrTwice, "no slot is free")
	require.ErrorIs(t, take("1", "b"), staff.ErrTwice, "a has it")

	fresh, err := book.Take("1", "a")
	require.NoError(t, err)
	require.False(t, fresh, "seen again")

	book.Leave("a")
	require.NoError(t, take("3", "a"))
	require.ErrorIs(t, take("1", "b"), staff.ErrTwice, "a had it")
	require.Equal(t, "a", book.Holder("3"))
	require.Empty(t, book.Holder("4"))
	require.Equal(t, 3, book.Taken())
	require.Equal(t, 2, book.Most())
}

// With room for two, the third cannot be accepted before one of the first is
// over, nor before it escalates.
func TestBeyondLeavesOutWhatSlotsImpose(t *testing.T) {
	t.Parallel()

	escalated, ended := times(0, 1, 2, 3, 5000), times(1050, 1100, 2000, 2100, 6000)
	accepted := times(50, 61, 1070, 1130, 5009)

	require.Equal(t, []time.Duration{
		50 * time.Millisecond, 60 * time.Millisecond, 20 * time.Millisecond, 30 * time.Millisecond, 9 * time.Millisecond,
	}, staff.Beyond(escalated, accepted, ended, 2))
	require.Equal(t, times(0, 1, 2, 3, 5000), escalated, "they stay in order")
	require.Empty(t, staff.Beyond(nil, nil, nil, 2))
}

func TestBeyondIsOfOneDeskAtATime(t *testing.T) {
	t.Parallel()

	plan := &staff.Plan{Name: "x", Desks: 2, Agents: 1, Slots: 1, Conversations: 2}
	chats := []staff.Chat{
		{Escalated: ms(0), Found: ms(5), Accepted: ms(10), Ended: ms(100)},
		{Escalated: ms(0), Found: ms(7), Accepted: ms(20), Ended: ms(500)},
		{Escalated: ms(0), Found: ms(112), Accepted: ms(115), Ended: ms(200)},
		{Escalated: ms(0), Found: ms(520), Accepted: ms(530), Ended: ms(600)},
	}

	require.Equal(t, []time.Duration{10 * time.Millisecond, 15 * time.Millisecond}, plan.BeyondOf(0, chats))
	require.Equal(t, []time.Duration{20 * time.Millisecond, 30 * time.Millisecond}, plan.BeyondOf(1, chats))

	// The last of several invitations counts; what nobody was told is left out.
	require.Equal(t, []time.Duration{3 * time.Millisecond, 12 * time.Millisecond}, plan.Reactions(chats, []trace.Offer{
		{Key: plan.Key(0), Told: ms(1)}, {Key: plan.Key(0), Told: ms(2)}, {Key: plan.Key(2), Told: ms(100)}, {Key: plan.Key(1)},
	}))
}

func TestConfigSeatsEveryAgentOnce(t *testing.T) {
	t.Parallel()

	plan := &staff.Plan{Desks: 3, Agents: 5, Slots: 4, Conversations: 7}

	var file struct {
		Sources map[string]struct{ Desk, Routing string }
		Desks   map[string]struct {
			Slots  int
			Agents []struct{ ID, Status string }
		}
	}

	require.NoError(t, yaml.Unmarshal(plan.Config(), &file))
	require.Len(t, file.Sources, 3)
	require.Len(t, file.Desks, 3)

	seen := make(map[string]bool)

	for name, desk := range file.Desks {
		require.Equal(t, name, file.Sources[name].Desk)
		require.Equal(t, "desk", file.Sources[name].Routing)
		require.Equal(t, 4, desk.Slots)
		require.Len(t, desk.Agents, 5)

		for _, agent := range desk.Agents {
			require.Equal(t, signals.AgentAccepting, agent.Status)
			require.False(t, seen[agent.ID])
			seen[agent.ID] = true
		}
	}

	require.Equal(t, 21, plan.Total())
	require.Equal(t, 20, plan.Room())
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	t.Parallel()

	const smith = "smith"

	plan := &staff.Plan{Name: "x", Desks: 1, Agents: 1, Slots: 2, Conversations: 2}
	good := func() *signals.View {
		view := &signals.View{Agent: smith, Accepted: staff.Events, Applied: staff.Events}
		view.Messages.Visitor, view.Messages.Agent = 1, 1
		view.Invitations = []signals.Invitation{{AgentID: smith, Outcome: "accepted"}}

		return view
	}

	require.NoError(t, plan.Check(0, good(), smith))

	for name, test := range map[string]struct {
		spoil func(view *signals.View)
		want  error
	}{
		"lost":    {func(view *signals.View) { view.Accepted-- }, drive.ErrLost},
		"pending": {func(view *signals.View) { view.Pending = 1 }, drive.ErrLost},
		"silent":  {func(view *signals.View) { view.Messages.Agent = 0 }, drive.ErrLost},
		"another": {func(view *signals.View) { view.Agent = "jones" }, staff.ErrTwice},
		"invited, too": {func(view *signals.View) {
			view.Invitations = append(view.Invitations, signals.Invitation{AgentID: "jones"})
		}, staff.ErrTwice},
	} {
		view := good()
		test.spoil(view)
		require.ErrorIs(t, plan.Check(0, view, smith), test.want, name)
	}

	require.ErrorIs(t, plan.Check(0, good(), ""), staff.ErrTwice)

	both := []trace.Offer{{Key: plan.Key(0)}, {Key: plan.Key(1)}, {Key: plan.Key(1)}}
	require.NoError(t, plan.CheckDesk(0, &trace.Desk{Offers: both, Most: map[string]int{smith: 2}}))
	require.ErrorIs(t, plan.CheckDesk(0, &trace.Desk{Offers: both, Most: map[string]int{smith: 3}}), staff.ErrTwice)
	require.ErrorIs(t, plan.CheckDesk(0, &trace.Desk{Offers: both, Twice: []string{"1"}}), staff.ErrTwice)
	require.ErrorIs(t, plan.CheckDesk(0, &trace.Desk{Offers: both[1:]}), drive.ErrLost)

	require.NoError(t, staff.Empty(&signals.DeskView{Agents: []signals.DeskAgent{{}}}))
	require.Error(t, staff.Empty(&signals.DeskView{Agents: []signals.DeskAgent{{Load: 1}}}))
	require.Error(t, staff.Empty(&signals.DeskView{Waiting: 1}))
}

func TestAskCountsAnswersAndSilence(t *testing.T) {
	t.Parallel()

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()

	asked := make(map[string]int)

	var mu sync.Mutex

	found := staff.Ask(ctx, &staff.Plan{Desks: 2}, func(_ context.Context, desk string) (signals.DeskView, error) {
		mu.Lock()
		defer mu.Unlock()

		asked[desk]++
		if asked["desk-2"] == 2 {
			cancel()

			return signals.DeskView{}, errors.New("away")
		}

		return signals.DeskView{Waiting: 10 * asked[desk]}, nil
	})

	require.Equal(t, map[string]int{"desk-1": 2, "desk-2": 2}, asked)
	require.Len(t, found.Took, 4)
	require.Equal(t, 1, found.Failed)
	require.ErrorContains(t, found.Err, "away")
	require.Equal(t, 20, found.Waiting)
}

// office is a server that offers each conversation that escalated to the one
// agent, as long as there is a slot.
type office struct {
	plan *staff.Plan

	mu      sync.Mutex
	waiting []string
	offered map[string]bool
	slots   int
	closed  int
	// accepted counts commands.
	accepted int
	// careless gives everything out at once.
	careless bool
}

func (o *office) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()

	if in.Method == http.MethodGet {
		type invited struct {
			ID      string `json:"id"`
			Source  string `json:"source"`
			Offered string `json:"offered"`
		}

		var list struct {
			Conversations []invited `json:"conversations"`
		}

		for len(o.waiting) > 0 && (o.careless || o.slots > 0) {
			o.offered[o.waiting[0]] = true
			o.waiting = o.waiting[1:]
			o.slots--
		}

		for id := range o.offered {
			list.Conversations = append(list.Conversations, invited{ID: id, Source: o.plan.Desk(0), Offered: o.plan.Agent(0, 0)})
		}

		if err := json.NewEncoder(out).Encode(list); err != nil {
			http.Error(out, err.Error(), http.StatusInternalServerError)
		}

		return
	}

	if id, ok := strings.CutSuffix(in.URL.Path, "/accept"); ok {
		delete(o.offered, id[strings.LastIndexByte(id, '/')+1:])

		o.accepted++

		_, _ = out.Write([]byte(`{}`))

		return
	}

	var events []signals.Event
	if err := json.NewDecoder(in.Body).Decode(&events); err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)

		return
	}

	for i := range events {
		switch events[i].Type {
		case signals.EscalationRequested:
			o.waiting = append(o.waiting, events[i].Conversation)
		case signals.ConversationClosed:
			o.closed++
			o.slots++
		default:
		}
	}

	_, _ = out.Write([]byte(`{"accepted":1}`))
}

func play(t *testing.T, careless bool) (*staff.Played, *office, error) {
	t.Helper()

	plan := &staff.Plan{Name: "x", Desks: 1, Agents: 1, Slots: 3, Conversations: 8, Handle: 20 * time.Millisecond}
	o := &office{plan: plan, offered: make(map[string]bool), slots: plan.Slots, careless: careless}
	server := httptest.NewServer(o)
	t.Cleanup(server.Close)

	client, err := drive.NewClient(server.URL, 8)
	require.NoError(t, err)
	t.Cleanup(client.Close)

	played, err := staff.Play(t.Context(), client, plan, 4, &staff.Progress{})

	return played, o, err
}

func TestAgentsTakeWhatIsOfferedAndCloseIt(t *testing.T) {
	t.Parallel()

	played, o, err := play(t, false)
	require.NoError(t, err)
	require.Equal(t, 8, o.closed)
	require.Equal(t, 8, o.accepted)
	require.Equal(t, 8, played.Book.Taken())
	require.LessOrEqual(t, played.Book.Most(), 3)
	require.Len(t, played.Acks, 3*8)

	for _, chat := range played.Chats {
		require.False(t, chat.Escalated.Before(played.Begin))
		require.True(t, chat.Found.After(chat.Escalated))
		require.False(t, chat.Accepted.Before(chat.Found))
		require.GreaterOrEqual(t, chat.Ended.Sub(chat.Accepted), 20*time.Millisecond)
	}
}

func TestAgentsRefuseAFourthOfThreeSlots(t *testing.T) {
	t.Parallel()

	_, _, err := play(t, true)
	require.ErrorIs(t, err, staff.ErrTwice)
}
