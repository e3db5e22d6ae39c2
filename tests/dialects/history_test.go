package dialects_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects"
	"github.com/parleyhq/parley/workflows/conversation"
)

// TestATranscriptOfTheSessionBeforeIsHistory: Acquire sends the whole transcript
// with each status. What the session before said is no news to the next one:
// neither a message of its own nor a reason for a clock, whether its ids are
// still remembered or not.
func TestATranscriptOfTheSessionBeforeIsHistory(t *testing.T) {
	t.Parallel()

	w := &writer{TB: t, dialect: "acquire"}
	acquire(w)

	d, s := dialects.Table()["acquire"], &w.story
	arrivals := make([]arrival, len(s.steps))

	for i := range s.steps {
		arrivals[i] = arrival{&s.steps[i], s.steps[i].at.Add(took)}
	}

	first := live(t, d, s, arrivals)
	closed := s.steps[len(s.steps)-1].at

	first.Tick(closed.Add(2 * time.Hour))
	require.True(t, first.Decided)

	// A day later the case is active again: the transcript, and one more question.
	at := closed.Add(24 * time.Hour)
	again := w.fixture("case-status")
	data := w.inner(again, "data")
	data["caseId"], data["status"] = chatID, "pending"
	data["messages"] = append(acquireTranscript(t, s), map[string]any{
		"id": "5", "channel": "chat", "senderId": "5", "senderType": "contact", "type": "message", "message": "It did not come",
		"seen": "no", "dateCreated": at.Format("Mon Jan 02 2006 15:04:05") + " GMT+0000 (Coordinated Universal Time)",
	})

	for name, forget := range map[string]bool{"with ids": false, "without ids": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			begin := first.Result().Next()
			if forget {
				begin.IDs = nil
			}

			key := signals.Key{Source: "shop", Conversation: chatID}
			m := conversation.NewMachine(key, key.WorkflowID(), begin, s.under(d))
			s.hears(t, d, m, &step{name: "again", at: at, req: w.request("POST", "", again)}, at.Add(took))

			view := m.View("", true)
			require.Equal(t, signals.MessageCounts{Visitor: 1}, view.Messages)
			require.Equal(t, int64(4), view.Late+view.Duplicates, "the four messages of before")
			require.Equal(t, forget, view.Late > 0)
			require.True(t, view.Unreplied)
			require.Equal(t, at, *view.UnrepliedSince)
		})
	}
}

// acquireTranscript is what the story's last webhook carries.
func acquireTranscript(t *testing.T, s *story) []any {
	t.Helper()

	last := s.steps[len(s.steps)-1].req.Body

	var body struct {
		Data struct {
			Messages []any `json:"messages"`
		} `json:"data"`
	}

	require.NoError(t, json.Unmarshal(last, &body))

	return body.Data.Messages
}
