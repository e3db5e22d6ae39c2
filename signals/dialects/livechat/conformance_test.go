package livechat_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/signals/dialects/livechat"
	"github.com/parleyhq/parley/tests/dialecttest"
)

func TestFixturesDecodeToGolden(t *testing.T) {
	t.Parallel()

	for _, f := range append(allFixtures(t), objectFixtures(t)...) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()

			events := decode(t, f)
			dialecttest.Sound(t, received(), events...)

			for i := range events {
				require.NotContains(t, string(events[i].Raw), "secret_key")
			}

			dialecttest.Golden(t, f.name, dialecttest.Bare(events...))
		})
	}
}

func TestFixturesEncodeBack(t *testing.T) {
	t.Parallel()

	for _, f := range append(allFixtures(t), objectFixtures(t)...) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()

			events := dialecttest.Kept(t, decode(t, f)...)
			want := f.wants(t)

			if events[0].Type == signals.ConversationOpened {
				encodesThread(t, f, events[1:])

				payload := fixture{body: want}.payload().(map[string]any)
				thread := payload["chat"].(map[string]any)["thread"].(map[string]any)
				delete(thread, "events") // each is an event of its own
			} else {
				require.Len(t, events, 1)
			}

			published(want)
			require.Equal(t, normal(want), normal(encode(t, events[0])))
		})
	}
}

// published takes back the slips of the published samples.
func published(body map[string]any) {
	payload, ok := fixture{body: body}.payload().(map[string]any)
	if !ok {
		return
	}

	// Printed as queued_at_us in the pages of 3.3 to 3.5; the library reads
	// queued_at in all versions.
	if queue, ok := payload["queue"].(map[string]any); ok && queue["queued_at_us"] != nil {
		queue["queued_at"] = queue["queued_at_us"]
		delete(queue, "queued_at_us")
	}

	// Samples of 3.2 and later leave out what the table of fields has.
	if user, ok := payload["user"].(map[string]any); ok && payload["user_type"] == nil {
		payload["user_type"] = user["type"]
	}
}

// encodesThread compares each event of a thread with what it encodes to.
func encodesThread(t *testing.T, f fixture, events []signals.Event) {
	t.Helper()

	chat := f.payload().(map[string]any)["chat"].(map[string]any)
	written, _ := chat["thread"].(map[string]any)["events"].([]any)
	require.Len(t, events, len(written))

	for i := range events {
		body := encode(t, events[i])
		require.Equal(t, "incoming_event", orElse(body["action"], "incoming_event"))

		payload := fixture{body: body}.payload().(map[string]any)
		require.Equal(t, chat["id"], payload["chat_id"])
		require.Equal(t, normal(written[i]), normal(payload["event"]))
	}
}

func orElse(value, other any) any {
	if value == nil {
		return other
	}

	return value
}

func encode(t *testing.T, event signals.Event) map[string]any {
	t.Helper()

	return dialecttest.Object(t, dialecttest.Encode(t, livechat.Dialect{}, event))
}

// objectFixtures are the published Event objects, each in a webhook of 3.6.
func objectFixtures(t *testing.T) []fixture {
	t.Helper()

	var all []fixture

	for _, name := range []string{"message", "file", "form", "filledForm", "richMessage", "custom", "systemMessage", "system"} {
		for _, action := range []string{"incoming_event", "event_updated"} {
			event := readObject(t, "events/"+name+".json")
			all = append(all, fixture{name: "object-" + name + "-" + action, action: action, body: map[string]any{
				"webhook_id": "w1", "secret_key": "s", "action": action, "organization_id": "o1",
				"payload": map[string]any{"chat_id": "PJ0MRSHTDG", "thread_id": "K600PKZON8", "event": event},
			}})
		}
	}

	return append(all, fixture{name: "object-app-installed", action: "application_installed", body: map[string]any{
		"applicationID": "a1", "applicationName": "Example", "clientID": "c1", "date": "2020-09-14T15:29:53+02:00",
		"event": "application_installed", "licenseID": 104130623, "organizationID": "o1", "userID": "u1",
		"payload": map[string]any{"applicationID": "a1"},
	}})
}

func TestEncodeForeignEvents(t *testing.T) {
	t.Parallel()

	// An event of another platform is written as 3.6 writes it.
	body := encode(t, signals.Event{
		ID: "m1", Type: signals.MessageReceived, Conversation: "c1", At: received(),
		Actor:    &signals.Actor{ID: "ann", Role: signals.RoleVisitor},
		Platform: &signals.Platform{Event: "messages:new", WebhookID: "w", Version: "v9"},
		Message:  &signals.Message{Text: "hi", Kind: signals.KindText, Visibility: signals.VisibleToAll},
	})
	require.Equal(t, map[string]any{
		"action": "incoming_event", "additional_data": map[string]any{},
		"payload": map[string]any{"chat_id": "c1", "event": map[string]any{
			"id": "m1", "type": "message", "author_id": "ann", "text": "hi", "visibility": "all",
			"created_at": "2026-11-20T10:00:00.301000Z",
		}},
	}, body)

	for _, event := range []signals.Event{
		{Type: signals.EscalationRequested, Conversation: "c1"},
		{Type: signals.Unknown, Conversation: "c1"},
		{Type: signals.MessageReceived, Conversation: "c1"},
		{Type: signals.SystemNoted, Conversation: "c1", Note: &signals.Note{Kind: "other"}},
		{Type: signals.AccountChanged, Account: &signals.Account{Object: "moon", Action: "risen"}},
	} {
		_, err := livechat.Dialect{}.Encode(event)
		require.ErrorIs(t, err, dialect.ErrNotEncodable, event.Type)
	}
}
