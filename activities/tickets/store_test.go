package tickets_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/parleyhq/parley/activities/tickets"
	"github.com/parleyhq/parley/signals"
)

//nolint:gochecknoglobals // constants of these tests
var (
	opened = time.Date(2026, 11, 20, 10, 0, 0, 123456789, time.UTC)
	chat   = signals.Key{Source: "livechat", Conversation: "PJ0MRSHTDG"}
)

func openDB(t *testing.T) *sql.DB {
	t.Helper()

	path := filepath.Join(t.TempDir(), "parley.db")
	db, err := sql.Open("sqlite", "file:"+path+
		"?_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=busy_timeout(5000)&_txlock=immediate")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })

	return db
}

func openStore(t *testing.T) *tickets.Store {
	t.Helper()

	store, err := tickets.Open(t.Context(), openDB(t))
	require.NoError(t, err)

	return store
}

func closedView(key signals.Key, session int) signals.View {
	at := opened.Add(time.Duration(session) * time.Hour)

	return signals.View{
		ID: key.Conversation, Source: key.Source, WorkflowID: key.WorkflowID(), RunID: "run", Session: session, Thread: "K600PKZON8",
		Status: signals.StatusClosed, Agent: "smith@example.com", Desk: "support", Tags: []string{"vip"}, PushTimes: 2,
		Participants: []signals.ViewParticipant{{ID: "v", Role: signals.RoleVisitor, Name: "Ann"}},
		Accepted:     4, Applied: 4, Messages: signals.MessageCounts{Visitor: 2, Agent: 1}, Clocks: []signals.ViewClock{},
		Timeline: []signals.TimelineEntry{{At: opened, Type: signals.MessageReceived, Text: "hi"}},
		OpenedAt: opened, ClosedAt: &at,
	}
}

func ticketOf(view *signals.View) *signals.Ticket {
	return &signals.Ticket{
		TicketRef: signals.TicketRef{
			ID: signals.TicketID(view.WorkflowID, view.Session), Status: signals.TicketStatusPending, Session: view.Session,
		},
		Source: view.Source, Conversation: view.ID, WorkflowID: view.WorkflowID, Subject: "Conversation with Ann", Unreplied: true,
		Messages: view.Messages, OpenedAt: view.OpenedAt, ClosedAt: *view.ClosedAt,
		Transcript: []signals.TranscriptLine{{At: opened, Role: signals.RoleVisitor, Name: "Ann", Text: "hi"}},
	}
}

func TestASessionComesBackAsItWas(t *testing.T) {
	t.Parallel()

	store := openStore(t)
	view := closedView(chat, 1)
	ticket := ticketOf(&view)
	require.NoError(t, store.Record(t.Context(), view, ticket))

	got, err := store.Session(t.Context(), chat, 1)
	require.NoError(t, err)
	require.Equal(t, &ticket.TicketRef, got.Ticket)

	view.Ticket = &ticket.TicketRef
	require.Equal(t, asJSON(t, view), asJSON(t, got))

	kept, err := store.Ticket(t.Context(), ticket.ID)
	require.NoError(t, err)
	require.Equal(t, *ticket, kept)
}

func TestTheNewestSessionIsNumberZero(t *testing.T) {
	t.Parallel()

	store := openStore(t)
	for _, session := range []int{2, 3, 1} {
		require.NoError(t, store.Record(t.Context(), closedView(chat, session), nil))
	}

	newest, err := store.Session(t.Context(), chat, 0)
	require.NoError(t, err)
	require.Equal(t, 3, newest.Session)
	require.Nil(t, newest.Ticket)

	second, err := store.Session(t.Context(), chat, 2)
	require.NoError(t, err)
	require.Equal(t, 2, second.Session)

	_, err = store.Session(t.Context(), chat, 4)
	require.ErrorIs(t, err, tickets.ErrNotFound)
	_, err = store.Session(t.Context(), signals.Key{Source: "livechat", Conversation: "nobody"}, 0)
	require.ErrorIs(t, err, tickets.ErrNotFound)
	_, err = store.Ticket(t.Context(), "t_0")
	require.ErrorIs(t, err, tickets.ErrNotFound)
}

func TestALongChatIDIsFoundByBothItsForms(t *testing.T) {
	t.Parallel()

	store := openStore(t)
	long := signals.Key{Source: "livechat", Conversation: string(make([]byte, 300))}
	require.NoError(t, store.Record(t.Context(), closedView(long, 1), nil))

	hashed, err := signals.ParseWorkflowID(long.WorkflowID())
	require.NoError(t, err)

	for _, key := range []signals.Key{long, hashed} {
		view, err := store.Session(t.Context(), key, 0)
		require.NoError(t, err)
		require.Equal(t, long.Conversation, view.ID, "the platform's own id")
	}
}

func TestRecordingAgainChangesNothing(t *testing.T) {
	t.Parallel()

	store := openStore(t)
	view := closedView(chat, 1)
	ticket := ticketOf(&view)
	require.NoError(t, store.Record(t.Context(), view, ticket))

	created := signals.TicketRef{
		ID: ticket.ID, ExternalID: "77", URL: "https://desk.example.com/77", Status: signals.TicketStatusCreated, Session: 1,
	}
	require.NoError(t, store.Update(t.Context(), created, chat.Source, chat.Conversation))

	other := view
	other.Agent = "somebody else"
	require.NoError(t, store.Record(t.Context(), other, ticket))

	got, err := store.Session(t.Context(), chat, 0)
	require.NoError(t, err)
	require.Equal(t, "smith@example.com", got.Agent)
	require.Equal(t, created, *got.Ticket, "read from the ticket, not from the record")

	list, _, err := store.Tickets(t.Context(), tickets.TicketFilter{}, 0, "")
	require.NoError(t, err)
	require.Len(t, list, 1)
}

func TestUpdates(t *testing.T) {
	t.Parallel()

	id := signals.TicketID(chat.WorkflowID(), 1)
	created := signals.TicketRef{ID: id, ExternalID: "77", Status: signals.TicketStatusCreated}
	failed := signals.TicketRef{ID: id, Status: signals.TicketStatusFailed, Reason: "expired: 503"}

	for name, tc := range map[string]struct {
		updates []signals.TicketRef
		want    signals.TicketRef
	}{
		"failed":                  {[]signals.TicketRef{failed}, failed},
		"created twice":           {[]signals.TicketRef{created, created}, created},
		"created after it failed": {[]signals.TicketRef{failed, created}, created},
		"failed late":             {[]signals.TicketRef{created, failed}, created},
		"empty fields stay": {
			[]signals.TicketRef{created, {ID: id, URL: "https://x.example.com"}},
			signals.TicketRef{ExternalID: "77", URL: "https://x.example.com", Status: signals.TicketStatusCreated},
		},
		"by its session, without id": {
			[]signals.TicketRef{{Session: 1, ExternalID: "8"}},
			signals.TicketRef{ExternalID: "8", Status: signals.TicketStatusPending},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			store := openStore(t)
			view := closedView(chat, 1)
			require.NoError(t, store.Record(t.Context(), view, ticketOf(&view)))

			for _, update := range tc.updates {
				require.NoError(t, store.Update(t.Context(), update, chat.Source, chat.Conversation))
			}

			tc.want.ID, tc.want.Session = id, 1
			got, err := store.Ticket(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, tc.want, got.TicketRef)
		})
	}
}

func TestUpdateOfNothing(t *testing.T) {
	t.Parallel()

	store := openStore(t)
	view := closedView(chat, 1)
	ticket := ticketOf(&view)
	require.NoError(t, store.Record(t.Context(), view, ticket))
	require.ErrorIs(t, store.Update(t.Context(), signals.TicketRef{ID: "t_0"}, chat.Source, chat.Conversation), tickets.ErrNotFound)
	require.ErrorIs(t, store.Update(t.Context(), ticket.TicketRef, "acquire", chat.Conversation), tickets.ErrNotFound, "another's ticket")
}

func TestWhyThereIsNoTicketIsShown(t *testing.T) {
	t.Parallel()

	store := openStore(t)
	view := closedView(chat, 1)
	view.Ticket = &signals.TicketRef{Status: signals.TicketStatusSkipped, Reason: "empty", Session: 1}
	require.NoError(t, store.Record(t.Context(), view, nil))

	got, err := store.Session(t.Context(), chat, 1)
	require.NoError(t, err)
	require.Equal(t, view.Ticket, got.Ticket)

	view.Session = 2
	view.Ticket = &signals.TicketRef{ID: "t_1", Status: signals.TicketStatusCreated}
	require.NoError(t, store.Record(t.Context(), view, nil))
	got, err = store.Session(t.Context(), chat, 2)
	require.NoError(t, err)
	require.Nil(t, got.Ticket, "one that is not kept is not shown")
}

func TestLists(t *testing.T) {
	t.Parallel()

	store := openStore(t)

	for i := range 7 {
		for session := 1; session <= 2; session++ {
			source := []string{"livechat", "acquire"}[i%2]
			view := closedView(signals.Key{Source: source, Conversation: fmt.Sprintf("c%d", i)}, session)
			view.Unreplied = i == 3
			ticket := ticketOf(&view)
			ticket.Status = []string{signals.TicketStatusCreated, signals.TicketStatusFailed}[session-1]
			require.NoError(t, store.Record(t.Context(), view, ticket))
		}
	}

	t.Run("sessions by page, newest first, each once", func(t *testing.T) {
		t.Parallel()

		for _, limit := range []int{1, 3, 7, 13, 14, 50} {
			var all []string

			cursor := ""
			for {
				page, next, err := store.Sessions(t.Context(), tickets.SessionFilter{}, limit, cursor)
				require.NoError(t, err)
				require.LessOrEqual(t, len(page), limit)

				for i := range page {
					require.Empty(t, page[i].Timeline)
					require.Empty(t, page[i].Participants)
					require.NotNil(t, page[i].Ticket)
					all = append(all, fmt.Sprintf("%s/%d", page[i].ID, page[i].Session))
				}

				if next == "" {
					break
				}

				cursor = next
			}

			require.Len(t, all, 14)
			require.Equal(t, "c6/2", all[0])
			require.Equal(t, "c0/1", all[13])
		}
	})
	t.Run("tickets by page, each once", func(t *testing.T) {
		t.Parallel()

		seen := map[string]bool{}

		cursor := ""
		for {
			page, next, err := store.Tickets(t.Context(), tickets.TicketFilter{}, 4, cursor)
			require.NoError(t, err)

			for i := range page {
				require.False(t, seen[page[i].ID])
				require.Nil(t, page[i].Transcript)
				seen[page[i].ID] = true
			}

			if next == "" {
				break
			}

			cursor = next
		}

		require.Len(t, seen, 14)
	})
	t.Run("filters", func(t *testing.T) {
		t.Parallel()

		yes := true

		for name, tc := range map[string]struct {
			filter tickets.SessionFilter
			want   int
		}{
			"source":       {tickets.SessionFilter{Source: "acquire"}, 6},
			"status":       {tickets.SessionFilter{Status: signals.StatusClosed}, 14},
			"no status":    {tickets.SessionFilter{Status: signals.StatusOpen}, 0},
			"agent":        {tickets.SessionFilter{Agent: "smith@example.com"}, 14},
			"tag":          {tickets.SessionFilter{Tag: "vip"}, 14},
			"no tag":       {tickets.SessionFilter{Tag: "vi"}, 0},
			"desk":         {tickets.SessionFilter{Desk: "billing"}, 0},
			"unreplied":    {tickets.SessionFilter{Unreplied: &yes}, 2},
			"newest":       {tickets.SessionFilter{Newest: true}, 7},
			"conversation": {tickets.SessionFilter{Source: "livechat", Conversation: "c0"}, 2},
			"injection":    {tickets.SessionFilter{Agent: "' OR 1=1 --"}, 0},
		} {
			page, next, err := store.Sessions(t.Context(), tc.filter, 0, "")
			require.NoError(t, err, name)
			require.Empty(t, next, name)
			require.Len(t, page, tc.want, name)
		}

		for want, filter := range map[int]tickets.TicketFilter{
			6: {Source: "acquire"}, 7: {Status: signals.TicketStatusFailed}, 2: {Conversation: "c0"},
			1: {Conversation: "c1", Status: signals.TicketStatusCreated},
		} {
			page, _, err := store.Tickets(t.Context(), filter, 0, "")
			require.NoError(t, err)
			require.Len(t, page, want)
		}
	})
	t.Run("a foreign cursor", func(t *testing.T) {
		t.Parallel()

		// Not base64, null, {}, no id, a null id, a list.
		for _, cursor := range []string{"x", "bnVsbA", "e30", "eyJhdCI6MX0", "eyJhdCI6MSwiaWQiOm51bGx9", "W10"} {
			_, _, err := store.Tickets(t.Context(), tickets.TicketFilter{}, 0, cursor)
			require.ErrorIs(t, err, tickets.ErrBadCursor, cursor)

			_, _, err = store.Sessions(t.Context(), tickets.SessionFilter{}, 0, cursor)
			require.ErrorIs(t, err, tickets.ErrBadCursor, cursor)
		}
	})
}

func TestTheNextSession(t *testing.T) {
	t.Parallel()

	store := openStore(t)
	_, found, err := store.Next(t.Context(), chat.WorkflowID())
	require.NoError(t, err)
	require.False(t, found)

	view := closedView(chat, 2)
	require.NoError(t, store.Record(t.Context(), view, nil))

	start, found, err := store.Next(t.Context(), chat.WorkflowID())
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, signals.Start{
		Version: 1, Session: 3, Conversation: chat.Conversation, Threads: []string{"K600PKZON8"}, ClosedAt: *view.ClosedAt,
	}, start)
}

func TestPruneForgetsWhatIsOld(t *testing.T) {
	t.Parallel()

	store := openStore(t)

	for session := 1; session <= 4; session++ {
		view := closedView(chat, session)
		require.NoError(t, store.Record(t.Context(), view, ticketOf(&view)))
	}

	rows, err := store.Prune(t.Context(), opened.Add(3*time.Hour))
	require.NoError(t, err)
	require.Equal(t, int64(4), rows, "two sessions and their tickets")

	_, err = store.Session(t.Context(), chat, 2)
	require.ErrorIs(t, err, tickets.ErrNotFound)
	_, err = store.Session(t.Context(), chat, 3)
	require.NoError(t, err)
}

func TestOpenAgainKeepsEverything(t *testing.T) {
	t.Parallel()

	db := openDB(t)
	first, err := tickets.Open(t.Context(), db)
	require.NoError(t, err)
	require.NoError(t, first.Record(t.Context(), closedView(chat, 1), nil))

	second, err := tickets.Open(t.Context(), db)
	require.NoError(t, err)
	_, err = second.Session(t.Context(), chat, 1)
	require.NoError(t, err)
}

func TestManyWritersAtOnce(t *testing.T) {
	t.Parallel()

	store := openStore(t)

	var group sync.WaitGroup

	for i := range 20 {
		group.Go(func() {
			view := closedView(signals.Key{Source: "livechat", Conversation: fmt.Sprintf("c%d", i%5)}, i%4+1)
			if err := store.Record(t.Context(), view, ticketOf(&view)); err != nil {
				t.Error(err)
			}
		})
	}

	group.Wait()

	list, _, err := store.Tickets(t.Context(), tickets.TicketFilter{}, 0, "")
	require.NoError(t, err)
	require.Len(t, list, 20)
}

func asJSON(t *testing.T, value any) string {
	t.Helper()

	raw, err := json.Marshal(value)
	require.NoError(t, err)

	return string(raw)
}
