package signals_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

func valid() signals.Event {
	return signals.Event{
		ID: "m1", Type: signals.MessageReceived, Source: "shop", Conversation: "c1", At: noon(), ReceivedAt: noon(),
		Actor: &signals.Actor{ID: "ann", Role: signals.RoleVisitor}, Message: &signals.Message{Text: "hi"},
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		change func(*signals.Event)
		field  string
	}{
		"fine":              {change: func(*signals.Event) {}},
		"no actor":          {change: func(e *signals.Event) { e.Actor = nil }},
		"no type":           {func(e *signals.Event) { e.Type = "" }, "type"},
		"unknown type":      {func(e *signals.Event) { e.Type = "message.sung" }, "type"},
		"no id":             {func(e *signals.Event) { e.ID = "" }, "id"},
		"longest id":        {change: func(e *signals.Event) { e.ID = strings.Repeat("x", 255) }},
		"too long id":       {func(e *signals.Event) { e.ID = strings.Repeat("x", 256) }, "id"},
		"bad source":        {func(e *signals.Event) { e.Source = "Shop" }, "source"},
		"no conversation":   {func(e *signals.Event) { e.Conversation = "" }, "conversation"},
		"long conversation": {func(e *signals.Event) { e.Conversation = strings.Repeat("x", 1025) }, "conversation"},
		"long thread":       {func(e *signals.Event) { e.Thread = strings.Repeat("x", 256) }, "thread"},
		"no at":             {func(e *signals.Event) { e.At = time.Time{} }, "at"},
		"1999":              {func(e *signals.Event) { e.At = time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC) }, "at"},
		"old":               {change: func(e *signals.Event) { e.At = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }},
		"a year ahead":      {change: func(e *signals.Event) { e.At = noon().AddDate(1, 0, 0) }},
		"more than a year":  {func(e *signals.Event) { e.At = noon().AddDate(1, 0, 0).Add(time.Second) }, "at"},
		"bad role":          {func(e *signals.Event) { e.Actor.Role = "king" }, "actor.role"},
		"no role":           {change: func(e *signals.Event) { e.Actor.Role = "" }},
		"bad visibility":    {func(e *signals.Event) { e.Message.Visibility = "some" }, "message.visibility"},
		"bad kind":          {func(e *signals.Event) { e.Message.Kind = "song" }, "message.kind"},
		"no message":        {func(e *signals.Event) { e.Message = nil }, "message"},
		"edit without id":   {func(e *signals.Event) { e.Type = signals.MessageUpdated }, "message.id"},
		"no tag":            {func(e *signals.Event) { e.Type, e.Tag = signals.TagAdded, &signals.Tag{} }, "tag.name"},
		"no typing":         {func(e *signals.Event) { e.Type = signals.TypingChanged }, "typing"},
		"bad presence":      {func(e *signals.Event) { e.Type, e.Presence = signals.PresenceChanged, &signals.Presence{} }, "presence.state"},
		"too many tags":     {func(e *signals.Event) { e.Details = &signals.Details{Tags: make([]string, 1001)} }, "details.tags"},
		"participant's role": {func(e *signals.Event) {
			e.Details = &signals.Details{Participants: []signals.Participant{{ID: "a"}, {ID: "b", Role: "x"}}}
		}, "details.participants[1].role"},
		"closer's role":  {func(e *signals.Event) { e.Closing = &signals.Closing{ByRole: "x"} }, "closing.by_role"},
		"account":        {change: func(e *signals.Event) { e.Type, e.Conversation = signals.AccountChanged, "" }},
		"ours is a type": {change: func(e *signals.Event) { e.Type = signals.TicketCreated }},
		"long agent id": {func(e *signals.Event) {
			e.Assignment = &signals.Assignment{AgentID: strings.Repeat("x", 256)}
		}, "assignment.agent_id"},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			event := valid()
			test.change(&event)

			err := event.Validate()
			if test.field == "" {
				require.NoError(t, err)

				return
			}

			var field *signals.FieldError

			require.ErrorAs(t, err, &field)
			require.Equal(t, test.field, field.Field)
		})
	}
}

func TestDirectSignalsMayLeaveOutTheID(t *testing.T) {
	t.Parallel()

	event := valid()
	event.ID, event.Conversation = "", ""
	require.Error(t, event.Validate())
	require.NoError(t, event.ValidateSignal())
}

func TestTypes(t *testing.T) {
	t.Parallel()

	seen := map[signals.Type]bool{}

	for _, kind := range signals.IncomingTypes() {
		require.True(t, kind.Incoming(), kind)
		require.True(t, kind.Known(), kind)
		require.False(t, seen[kind], kind)
		seen[kind] = true
	}

	require.True(t, signals.UnrepliedPushed.Known())
	require.False(t, signals.UnrepliedPushed.Incoming())
	require.False(t, signals.Type("x").Known())
}
