package drive_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/tests/load/drive"
)

// gateway takes webhooks as Parley does, in memory.
type gateway struct {
	mu sync.Mutex
	// events by conversation, in the order in which they came, each once.
	events map[string][]string
	// taken counts requests, repeats included.
	taken      int
	duplicates map[string]int64
	// answering is how many requests are being answered, most how many were.
	answering, most int

	// refuse is how many requests are put off first; lose and double name an
	// event that is lost, or applied twice, in every conversation.
	refuse       int
	lose, double string
	slow         time.Duration
}

func newGateway(t *testing.T, g *gateway) *drive.Client {
	t.Helper()

	g.events, g.duplicates = make(map[string][]string), make(map[string]int64)
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)

	client, err := drive.NewClient(server.URL, 64)
	require.NoError(t, err)
	t.Cleanup(client.Close)

	return client
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		g.view(w, path.Base(r.URL.Path))

		return
	}

	g.mu.Lock()
	g.answering++
	g.most = max(g.most, g.answering)
	g.mu.Unlock()

	time.Sleep(g.slow)

	g.mu.Lock()
	defer g.mu.Unlock()

	g.answering--

	if g.refuse > 0 {
		g.refuse--

		w.WriteHeader(http.StatusServiceUnavailable)

		return
	}

	var event signals.Event
	if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)

		return
	}

	g.taken++

	if slices.Contains(g.events[event.Conversation], event.ID) {
		g.duplicates[event.Conversation]++
		_, _ = w.Write([]byte(`{"accepted":0,"duplicates":1}`))

		return
	}

	if event.ID != g.lose {
		g.events[event.Conversation] = append(g.events[event.Conversation], event.ID)
	}

	if event.ID == g.double {
		g.events[event.Conversation] = append(g.events[event.Conversation], event.ID)
	}

	_, _ = w.Write([]byte(`{"accepted":1,"duplicates":0}`))
}

func (g *gateway) view(w http.ResponseWriter, conversation string) {
	g.mu.Lock()
	defer g.mu.Unlock()

	count := int64(len(g.events[conversation]))
	body, err := json.Marshal(signals.View{
		ID: conversation, Status: signals.StatusClosed, Accepted: count, Applied: count, Duplicates: g.duplicates[conversation],
		Messages: signals.MessageCounts{Visitor: count - 1}, Ticket: &signals.TicketRef{ID: "t"},
	})
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
	}

	_, _ = w.Write(body)
}

func TestClosedLoopSendsEachConversationInOrder(t *testing.T) {
	t.Parallel()

	g := &gateway{slow: time.Millisecond}
	client := newGateway(t, g)
	plan := &drive.Plan{Name: "run", Source: "parley", Conversations: 13, Events: 5}

	var progress drive.Progress

	sent, err := drive.Run(t.Context(), client, plan, 4, 0, &progress)
	require.NoError(t, err)

	require.Len(t, sent.Acks, 65)
	require.Len(t, g.events, 13)

	for conversation, events := range g.events {
		require.Equal(t, []string{"e0", "e1", "e2", "e3", "e4"}, events, conversation)
	}

	require.LessOrEqual(t, g.most, 4)
	require.EqualValues(t, 65, progress.Acknowledged.Load())
	require.NoError(t, drive.Check(t.Context(), client, plan, sent))
}

// Were latency counted from the sending, a server that answers one request
// after the other would look quick however many were waiting.
func TestOfferedRateCountsFromWhenAnEventWasDue(t *testing.T) {
	t.Parallel()

	const slow = 30 * time.Millisecond

	client := newGateway(t, &gateway{slow: slow})
	plan := &drive.Plan{Name: "run", Source: "parley", Conversations: 1, Events: 20}

	sent, err := drive.Run(t.Context(), client, plan, 8, 1000, nil)
	require.NoError(t, err)

	// The last was due 19 ms after the first, and came behind 19 answers.
	require.GreaterOrEqual(t, sent.Acks[19], 20*slow-19*time.Millisecond)
	require.Equal(t, 19*time.Millisecond, sent.Due(0, 19).Sub(sent.Due(0, 0)))
	require.False(t, sent.Due(0, 0).Before(sent.Begin))
}

func TestOfferedRateIsHeld(t *testing.T) {
	t.Parallel()

	g := &gateway{}
	client := newGateway(t, g)
	plan := &drive.Plan{Name: "run", Source: "parley", Conversations: 10, Events: 10}

	sent, err := drive.Run(t.Context(), client, plan, 4, 500, nil)
	require.NoError(t, err)

	require.GreaterOrEqual(t, sent.End.Sub(sent.Begin), 198*time.Millisecond, "the last of 100 is due after 99/500 s")

	for conversation, events := range g.events {
		require.Equal(t, "e0", events[0], conversation)
		require.Equal(t, "e9", events[9], conversation)
	}
}

func TestRepeatsAreEveryThirdWebhook(t *testing.T) {
	t.Parallel()

	g := &gateway{}
	client := newGateway(t, g)
	plan := &drive.Plan{Name: "run", Source: "parley", Conversations: 4, Events: 9, Repeats: true}

	sent, err := drive.Run(t.Context(), client, plan, 2, 0, nil)
	require.NoError(t, err)

	require.EqualValues(t, 12, sent.Repeated)
	require.Equal(t, 48, g.taken)
	require.NoError(t, drive.Check(t.Context(), client, plan, sent))
}

func TestCrowdedConversationIsClosedLast(t *testing.T) {
	t.Parallel()

	g := &gateway{slow: time.Millisecond}
	client := newGateway(t, g)
	plan := &drive.Plan{Name: "run", Source: "parley", Conversations: 1, Events: 50, Crowded: true}

	sent, err := drive.Run(t.Context(), client, plan, 8, 0, nil)
	require.NoError(t, err)
	require.Greater(t, g.most, 1)
	require.Equal(t, "e49", g.events["run-0"][49])
	require.NoError(t, drive.Check(t.Context(), client, plan, sent))
}

func TestWhatIsPutOffIsSentAgain(t *testing.T) {
	t.Parallel()

	client := newGateway(t, &gateway{refuse: 2})
	plan := &drive.Plan{Name: "run", Source: "parley", Conversations: 1, Events: 3}

	sent, err := drive.Run(t.Context(), client, plan, 1, 0, nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, sent.Refused)
	require.Greater(t, sent.Acks[0], 200*time.Millisecond, "the time until the 2xx counts")
	require.NoError(t, drive.Check(t.Context(), client, plan, sent))
}

func TestCheckFindsWhatIsLostOrDoubled(t *testing.T) {
	t.Parallel()

	for name, g := range map[string]*gateway{"lost": {lose: "e1"}, "doubled": {double: "e1"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			client := newGateway(t, g)
			plan := &drive.Plan{Name: "run", Source: "parley", Conversations: 2, Events: 4}

			sent, err := drive.Run(t.Context(), client, plan, 2, 0, nil)
			require.NoError(t, err)
			require.ErrorIs(t, drive.Check(t.Context(), client, plan, sent), drive.ErrLost)
		})
	}
}

func TestUnexpectedAnswerEndsTheRun(t *testing.T) {
	t.Parallel()

	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)

	client, err := drive.NewClient(server.URL, 2)
	require.NoError(t, err)
	t.Cleanup(client.Close)

	_, err = drive.Run(t.Context(), client, &drive.Plan{Name: "run", Source: "parley", Conversations: 5, Events: 5}, 2, 0, nil)
	require.ErrorIs(t, err, drive.ErrStatus)
}

func TestClaimedTime(t *testing.T) {
	t.Parallel()

	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	client := newGateway(t, &gateway{})
	plan := &drive.Plan{
		Name: "run", Source: "parley", Conversations: 1, Events: 1, Open: true, At: func() time.Time { return at },
	}

	sent, err := drive.Run(t.Context(), client, plan, 1, 0, nil)
	require.NoError(t, err)
	require.True(t, at.Equal(sent.Claimed(0, 0)))
	require.Equal(t, signals.MessageReceived, plan.Event(0, 0).Type, "an open conversation is not closed")
}
