package conversation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/conversation"
	"github.com/parleyhq/parley/workflows/policy"
)

// TestReply is the rule of what answers a visitor.
func TestReply(t *testing.T) {
	t.Parallel()

	message := func(change func(e *signals.Event)) signals.Event {
		said := says("smith", "Hello!", time.Minute)
		change(&said)

		return said
	}
	kind := func(kind signals.MessageKind) signals.Event {
		return message(func(e *signals.Event) { e.Message.Kind = kind })
	}
	livechat := func(id string) signals.Event {
		return message(func(e *signals.Event) { e.Actor = &signals.Actor{ID: id} })
	}

	for name, tc := range map[string]struct {
		event   signals.Event
		replied bool
	}{
		"text":                           {kind(signals.KindText), true},
		"no kind":                        {kind(""), true},
		"file":                           {kind(signals.KindFile), true},
		"form":                           {kind(signals.KindForm), true},
		"rich":                           {kind(signals.KindRich), true},
		"custom":                         {kind(signals.KindCustom), false},
		"system":                         {kind(signals.KindSystem), false},
		"whisper":                        {message(func(e *signals.Event) { e.Message.Visibility = signals.VisibleToAgents }), false},
		"of a supervisor":                {message(func(e *signals.Event) { e.Actor.Visibility = signals.VisibleToAgents }), false},
		"of a supervisor, to all":        {message(func(e *signals.Event) { e.Actor.Visibility, e.Message.Visibility = "agents", "all" }), true},
		"automatic":                      {message(func(e *signals.Event) { e.Message.Automatic = true }), false},
		"by a bot":                       {says("robot", "Hello!", time.Minute), true},
		"by somebody unknown":            {says("somebody", "Hello!", time.Minute), false},
		"by nobody":                      {message(func(e *signals.Event) { e.Actor = nil }), false},
		"by the visitor":                 {says("ann", "Hello?", time.Minute), false},
		"read":                           {event(signals.MessageRead, "smith", time.Minute), false},
		"note":                           {event(signals.SystemNoted, "smith", time.Minute), false},
		"edit":                           {message(func(e *signals.Event) { e.Type, e.Message.ID = signals.MessageUpdated, "other" }), false},
		"older than the question":        {message(func(e *signals.Event) { e.At = at(-time.Second) }), false},
		"at the same time":               {message(func(e *signals.Event) { e.At = epoch() }), true},
		"by the id rule, an agent":       {livechat("smith@example.com"), true},
		"by the id rule, a bot":          {livechat("0123456789abcdef0123456789abcdef"), true},
		"by the id rule, a visitor":      {livechat("b7eff798-f8df-4364-8059-649c35c9ed0c"), false},
		"by the source's list, an agent": {livechat("listed"), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := machine(func(s *policy.Snapshot) { s.Dialect, s.Agents = policy.DialectLiveChat, []string{"listed"} })
			tell(m, says("ann", "Hello?", 0))
			require.True(t, m.View("", false).Unreplied)
			tell(m, tc.event)
			require.Equal(t, !tc.replied, m.View("", false).Unreplied)
		})
	}
}

// TestBotReply: what counts as an answer of a bot's is the policy's to say.
func TestBotReply(t *testing.T) {
	t.Parallel()

	for rule, replied := range map[policy.BotReply][2]bool{
		policy.BotBeforeEscalation: {true, false},
		policy.BotAlways:           {true, true},
		policy.BotNever:            {false, false},
	} {
		t.Run(string(rule), func(t *testing.T) {
			t.Parallel()

			m := machine(func(s *policy.Snapshot) { s.Policy.Unreplied.BotReply = rule })
			tell(m, says("ann", "Hello?", 0), says("robot", "Hello!", time.Second))
			require.Equal(t, !replied[0], m.View("", false).Unreplied)

			tell(m, event(signals.EscalationRequested, "ann", 2*time.Second), says("ann", "A person!", 3*time.Second),
				says("robot", "Wait", 4*time.Second))
			require.Equal(t, !replied[1], m.View("", false).Unreplied)
		})
	}
}

// TestRoleKnownLater: a join that proves a role changes what was said before.
func TestRoleKnownLater(t *testing.T) {
	t.Parallel()

	m := machine()
	tell(m, says("ann", "Hello?", 0), says("somebody", "Hello!", time.Second))
	require.True(t, m.View("", false).Unreplied)
	require.Equal(t, int64(0), m.Counts.Agent)

	joined := event(signals.ParticipantJoined, "", 2*time.Second)
	joined.Participant = &signals.Participant{ID: "somebody", Role: signals.RoleAgent}
	tell(m, joined)

	view := m.View("", false)
	require.False(t, view.Unreplied)
	require.Equal(t, "somebody", view.Agent)
	require.Equal(t, int64(1), view.Messages.Agent)
}

// TestDuplicates tells natural ids, derived ones and the inbox's numbers apart.
func TestDuplicates(t *testing.T) {
	t.Parallel()

	away := func(id string, seq int64, offset time.Duration) signals.Event {
		e := event(signals.ButtonPressed, "ann", offset)
		e.ID, e.Seq = id, seq

		if seq > 0 {
			e.Inbox = "inbox"
		}

		return e
	}
	long := func(last string) string { return string(make([]byte, 250)) + last }

	for name, tc := range map[string]struct {
		first, second signals.Event
		duplicate     bool
	}{
		"the same id":                       {away("a", 0, 0), away("a", 0, time.Hour), true},
		"other ids":                         {away("a", 0, 0), away("b", 0, 0), false},
		"long ids that differ at the end":   {away(long("a"), 0, 0), away(long("b"), 0, 0), false},
		"the same long id":                  {away(long("a"), 0, 0), away(long("a"), 0, 0), true},
		"a derived id within the window":    {away("h:a", 0, 0), away("h:a", 0, 2*time.Minute), true},
		"a derived id after the window":     {away("h:a", 0, 0), away("h:a", 0, 2*time.Minute+1), false},
		"no id":                             {away("", 0, 0), away("", 0, 0), false},
		"the inbox's number again":          {away("a", 5, 0), away("b", 5, 0), true},
		"a lower number":                    {away("a", 5, 0), away("b", 4, 0), true},
		"the next number":                   {away("a", 5, 0), away("b", 6, 0), false},
		"the next number with the same id":  {away("a", 5, 0), away("a", 6, 0), true},
		"a number without an inbox is none": {away("a", 0, 0), signals.Event{ID: "b", Type: signals.ButtonPressed, Seq: 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := machine()
			tell(m, tc.first)
			require.Equal(t, tc.duplicate, m.Known(&tc.second))
			m.Apply(tc.second, at(time.Hour))
			require.Equal(t, tc.duplicate, m.Duplicates == 1)
		})
	}
}

// TestClockTime: clocks count from the platform's time only if it lies within
// ten minutes before the receipt.
func TestClockTime(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct{ said, due time.Duration }{
		"now":                    {0, 5 * time.Minute},
		"a minute ago":           {-time.Minute, 4 * time.Minute},
		"ten minutes ago":        {-10 * time.Minute, -5 * time.Minute},
		"more than that":         {-10*time.Minute - 1, 5 * time.Minute},
		"in the near future":     {time.Minute, 5 * time.Minute},
		"in the far future":      {time.Hour, 5 * time.Minute},
		"not said, thus receipt": {-365 * 24 * time.Hour, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := machine()
			hello := says("ann", "Hello?", 0)
			hello.At = at(tc.said)

			if tc.said < -24*time.Hour {
				hello.At = time.Time{}
			}

			m.Apply(hello, epoch())
			m.Settle(epoch())

			next, ok := m.NextDeadline()
			require.True(t, ok)
			require.Equal(t, "unreplied", next.Name)
			require.Equal(t, at(tc.due), next.Due.UTC())
		})
	}
}

// TestPlatformClockAhead: a decision holds against what is known, even if the
// platform's clock goes before ours.
func TestPlatformClockAhead(t *testing.T) {
	t.Parallel()

	for _, thread := range []string{"", "T1"} {
		ahead := inThread(thread, says("ann", "Hello?", 0))
		ahead.At = at(3 * time.Minute)
		moved := inThread(thread, event(signals.QueueMoved, "", 0))
		moved.At = at(4 * time.Minute)

		m := machine()
		tell(m, ahead, moved)
		require.NoError(t, m.Command(signals.CloseUpdate, signals.Command{}, at(time.Second)))
		require.Equal(t, signals.StatusClosing, m.Status)
		require.Equal(t, []signals.ViewClock{{Name: "close-out", Due: at(2*time.Minute + time.Second)}}, m.View("", false).Clocks)
		require.NoError(t, m.Command(signals.ReopenUpdate, signals.Command{}, at(2*time.Second)))
		require.NotEqual(t, signals.StatusClosing, m.Status)
		require.NoError(t, m.Command(signals.AcceptUpdate, signals.Command{AgentID: "smith"}, at(3*time.Second)))
		require.Equal(t, "smith", m.Agent)
		require.NoError(t, m.Command(signals.SnoozeUpdate, signals.Command{}, at(4*time.Second)))
		require.Equal(t, signals.StatusSnoozed, m.Status)
	}
}

// TestTicketRules says which sessions become a ticket.
func TestTicketRules(t *testing.T) {
	t.Parallel()

	hello := says("ann", "Hello?", 0)
	noted := event(signals.SystemNoted, "", 3*time.Second)
	noted.Note = &signals.Note{Kind: "ticket", TicketID: "P1"}

	for name, tc := range map[string]struct {
		rule   policy.TicketRule
		events []signals.Event
		reason string
	}{
		"always":                        {policy.TicketAlways, []signals.Event{hello}, ""},
		"never":                         {policy.TicketNever, []signals.Event{hello}, "policy: never"},
		"empty":                         {policy.TicketAlways, []signals.Event{event(signals.ConversationOpened, "", 0)}, "empty"},
		"unreplied":                     {policy.TicketUnreplied, []signals.Event{hello}, ""},
		"answered":                      {policy.TicketUnreplied, []signals.Event{hello, says("smith", "Yes", 1)}, "policy: answered"},
		"not offline":                   {policy.TicketOffline, []signals.Event{hello}, "policy: not offline"},
		"the platform made one":         {policy.TicketUnlessPlatform, []signals.Event{hello, noted}, "policy: the platform made one"},
		"unless platform, it made none": {policy.TicketUnlessPlatform, []signals.Event{hello}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := machine(func(s *policy.Snapshot) { s.Policy.Closeout.Ticket = tc.rule })
			tell(m, tc.events...)
			tell(m, event(signals.ConversationClosed, "", time.Minute))
			pass(t, m, at(time.Minute), at(time.Hour))
			require.True(t, m.Decided)

			record := m.Record("run")
			require.Equal(t, signals.StatusClosed, record.View.Status)
			require.Equal(t, tc.reason, record.View.Ticket.Reason)

			if tc.reason != "" {
				require.Nil(t, record.Ticket)
				require.Equal(t, signals.TicketStatusSkipped, record.View.Ticket.Status)

				return
			}

			require.Equal(t, signals.TicketID(key().WorkflowID(), 1), record.Ticket.ID)
			require.Equal(t, record.View.Unreplied, record.Ticket.Unreplied)
		})
	}
}

// TestNextSessionKnowsTheOneBefore: its closed threads, its ids and its end.
func TestNextSessionKnowsTheOneBefore(t *testing.T) {
	t.Parallel()

	m := machine()
	tell(m, inThread("T1", says("ann", "Hello?", 0)), inThread("T1", event(signals.ConversationClosed, "", time.Minute)))
	pass(t, m, at(time.Minute), at(time.Hour))

	result := m.Result()
	require.Equal(t, []string{"T1"}, result.Threads)

	for name, tc := range map[string]struct {
		event   signals.Event
		follows bool
	}{
		"a new thread":       {inThread("T2", says("ann", "Again", time.Hour)), true},
		"no thread":          {says("ann", "Again", time.Hour), true},
		"the closed thread":  {inThread("T1", says("ann", "Again", time.Hour)), false},
		"before the close":   {says("ann", "Late", time.Second), false},
		"at the close":       {says("ann", "Late", time.Minute), false},
		"what may not start": {event(signals.TagAdded, "", time.Hour), false},
		// A close without a time of its own is dated when it was received.
		"a new thread, dated before that close": {inThread("T2", says("ann", "Again", time.Second)), true},
	} {
		require.Equal(t, tc.follows, m.Following(&tc.event), name)
	}

	second := conversation.NewMachine(key(), key().WorkflowID(), result.Next(), under())
	tell(second, inThread("T1", says("smith", "Late", time.Hour)), inThread("T2", says("ann", "Again", time.Hour)))
	require.Equal(t, 2, second.Session)
	require.Equal(t, int64(1), second.Late)
	require.Equal(t, int64(1), second.Counts.Visitor)
	require.Empty(t, second.Agent)
}

// TestNextSessionAfterOurOwnClose: the platform's thread goes on, and only what
// is newer than the close in it is a new session.
func TestNextSessionAfterOurOwnClose(t *testing.T) {
	t.Parallel()

	m := machine()
	tell(m, inThread("T1", says("ann", "Hello?", 0)))
	require.NoError(t, m.Command(signals.CloseUpdate, signals.Command{By: "ops"}, at(time.Minute)))
	pass(t, m, at(time.Minute), at(time.Hour))

	result := m.Result()
	require.Empty(t, result.Threads)
	require.Equal(t, []string{"T1"}, result.OpenThreads)

	older, newer := inThread("T1", says("ann", "Late", time.Second)), inThread("T1", says("ann", "Again", time.Hour))
	require.False(t, m.Following(&older))
	require.True(t, m.Following(&newer))

	second := conversation.NewMachine(key(), key().WorkflowID(), result.Next(), under())
	tell(second, older, newer)
	require.Equal(t, int64(1), second.Late)
	require.Equal(t, int64(1), second.Counts.Visitor)
}

// TestManyClosesAndThreads: a conversation that is closed and reopened all day
// keeps what it settled.
func TestManyClosesAndThreads(t *testing.T) {
	t.Parallel()

	m := machine()
	now := time.Duration(0)

	for i := range 120 {
		thread := "T" + time.Duration(i).String()
		tell(m, inThread(thread, says("ann", "Hello?", now)))
		require.Equal(t, signals.StatusOpen, m.Status)
		require.True(t, at(now).Equal(m.Episode.Since))

		now += time.Second
		tell(m, inThread(thread, event(signals.ConversationClosed, "", now)))
		require.Equal(t, signals.StatusClosing, m.Status)

		now += time.Second
	}

	require.LessOrEqual(t, len(m.Result().Threads), 50)
	require.Contains(t, m.Result().Threads, "T119ns")
}
