package signaller_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/mocks"
	"go.temporal.io/sdk/temporal"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/signaller"
)

func key() signals.Key { return signals.Key{Source: "shop", Conversation: "c1"} }

const workflowID = "conversation:shop:c1"

// sent records what went to Temporal.
type sent struct {
	name    string
	payload json.RawMessage
	started bool
}

// recorder returns a Temporal client that records signals.
func recorder(t *testing.T, into *sent) *mocks.Client {
	t.Helper()

	keep := func(args mock.Arguments, name string, payload any, started bool) {
		require.Equal(t, workflowID, args.String(1))

		raw, err := json.Marshal(payload)
		require.NoError(t, err)

		*into = sent{name, raw, started}
	}

	c := mocks.NewClient(t)
	c.On("SignalWorkflow", mock.Anything, mock.Anything, "", mock.Anything, mock.Anything).
		Run(func(args mock.Arguments) { keep(args, args.String(3), args.Get(4), false) }).Return(nil).Maybe()
	c.On("SignalWithStartWorkflow", mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything).
		Run(func(args mock.Arguments) {
			options, ok := args.Get(4).(client.StartWorkflowOptions)
			require.True(t, ok)
			require.Equal(t, workflowID, options.ID)
			require.Equal(t, signals.TaskQueue, options.TaskQueue)
			require.Equal(t, signals.ConversationWorkflow, args.Get(5))
			keep(args, args.String(2), args.Get(3), true)
		}).Return(nil, nil).Maybe()

	return c
}

// What the client sends must be what the workflow reads.
func TestConvenienceSignalsAreReadAsMeant(t *testing.T) {
	t.Parallel()

	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	from := signaller.From{EventID: "e1", At: at, Thread: "t1", Role: signals.RoleAgent, ActorID: "smith", Name: "Smith"}
	position := int64(2)

	tests := map[string]struct {
		send   func(context.Context, *signaller.Signaller) error
		signal string
		starts bool
		check  func(*testing.T, signals.Event)
	}{
		"message": {
			send: func(ctx context.Context, s *signaller.Signaller) error {
				return s.Message(ctx, key(), from, signals.Message{ID: "m1", Text: "hi"})
			},
			signal: signals.MessageSignal, starts: true,
			check: func(t *testing.T, e signals.Event) {
				t.Helper()
				require.Equal(t, &signals.Message{ID: "m1", Text: "hi", Kind: signals.KindText}, e.Message)
			},
		},
		"escalation": {
			send: func(ctx context.Context, s *signaller.Signaller) error {
				return s.Escalate(ctx, key(), from, signals.Escalation{Skill: "billing"})
			},
			signal: signals.EscalationSignal, starts: true,
			check: func(t *testing.T, e signals.Event) {
				t.Helper()
				require.Equal(t, "billing", e.Escalation.Skill)
			},
		},
		"typing": {
			send:   func(ctx context.Context, s *signaller.Signaller) error { return s.Typing(ctx, key(), from, false) },
			signal: signals.TypingSignal,
			check: func(t *testing.T, e signals.Event) {
				t.Helper()
				require.False(t, e.Typing.On)
			},
		},
		"agent accepted": {
			send: func(ctx context.Context, s *signaller.Signaller) error {
				return s.AgentAccepted(ctx, key(), from, signals.Assignment{AgentID: "smith"})
			},
			signal: signals.AgentAcceptedSignal,
			check: func(t *testing.T, e signals.Event) {
				t.Helper()
				require.Equal(t, "smith", e.Assignment.AgentID)
			},
		},
		"queue": {
			send: func(ctx context.Context, s *signaller.Signaller) error {
				return s.QueueMove(ctx, key(), from, signals.Queue{Position: &position})
			},
			signal: signals.QueueMoveSignal,
			check: func(t *testing.T, e signals.Event) {
				t.Helper()
				require.Equal(t, position, *e.Queue.Position)
			},
		},
		"close": {
			send: func(ctx context.Context, s *signaller.Signaller) error {
				return s.Close(ctx, key(), from, signals.Closing{Reason: "done"})
			},
			signal: signals.CloseSignal,
			check: func(t *testing.T, e signals.Event) {
				t.Helper()
				require.Equal(t, &signals.Closing{Reason: "done", ByID: "smith", ByRole: signals.RoleAgent}, e.Closing)
			},
		},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var got sent

			require.NoError(t, test.send(t.Context(), signaller.New(recorder(t, &got))))
			require.Equal(t, test.signal, got.name)
			require.Equal(t, test.starts, got.started)

			event, err := signals.DecodeFlat(got.name, got.payload, key(), at.Add(time.Second))
			require.NoError(t, err)
			require.Equal(t, "e1", event.ID)
			require.Equal(t, at, event.At)
			require.Equal(t, "t1", event.Thread)
			require.Equal(t, &signals.Actor{ID: "smith", Role: signals.RoleAgent, Name: "Smith"}, event.Actor)
			test.check(t, event)
		})
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()

	var got sent

	s := signaller.New(recorder(t, &got))
	tag := signals.Event{ID: "e1", Type: signals.TagAdded, Tag: &signals.Tag{Name: "x"}}
	message := signals.Event{ID: "e2", Type: signals.MessageReceived, Message: &signals.Message{Text: "hi"}}

	require.NoError(t, s.Events(t.Context(), key(), tag))
	require.Equal(t, signals.EventsSignal, got.name)
	require.False(t, got.started, "a tag starts nothing")

	require.NoError(t, s.Events(t.Context(), key(), tag, message))
	require.True(t, got.started)

	var batch signals.Batch

	require.NoError(t, json.Unmarshal(got.payload, &batch))
	require.Equal(t, "tag.added, message.received", batch.Summary)
	require.Len(t, batch.Events, 2)

	var event signals.Event

	require.NoError(t, json.Unmarshal(batch.Events[1], &event))
	require.False(t, event.At.IsZero())
	require.Equal(t, "shop", event.Source)
	require.Equal(t, "c1", event.Conversation)

	got = sent{}

	var field *signals.FieldError

	require.ErrorAs(t, s.Events(t.Context(), key(), message, signals.Event{Type: "x"}), &field)
	require.Equal(t, "type", field.Field)
	require.Empty(t, got.name, "none is sent")
}

func TestNotRunning(t *testing.T) {
	t.Parallel()

	c := mocks.NewClient(t)
	c.On("SignalWorkflow", mock.Anything, workflowID, "", signals.TypingSignal, mock.Anything).Return(serviceerror.NewNotFound("gone"))

	require.ErrorIs(t, signaller.New(c).Typing(t.Context(), key(), signaller.From{}, true), signaller.ErrNotRunning)
}

func TestCommands(t *testing.T) {
	t.Parallel()

	type command func(*signaller.Signaller, context.Context, signals.Key, signals.Command) (signals.View, error)

	for name, do := range map[string]command{
		signals.AcceptUpdate: (*signaller.Signaller).Accept, signals.DeclineUpdate: (*signaller.Signaller).Decline,
		signals.AssignUpdate: (*signaller.Signaller).Assign, signals.CloseUpdate: (*signaller.Signaller).CloseConversation,
		signals.ReopenUpdate: (*signaller.Signaller).Reopen, signals.SnoozeUpdate: (*signaller.Signaller).Snooze,
		signals.NoteUpdate: (*signaller.Signaller).Note,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			asked := signals.Command{AgentID: "smith", Reason: "why", Text: "note"}
			handle := mocks.NewWorkflowUpdateHandle(t)
			handle.On("Get", mock.Anything, mock.Anything).Run(func(args mock.Arguments) {
				args.Get(1).(*signals.View).Status = signals.StatusActive
			}).Return(nil)

			c := mocks.NewClient(t)
			c.On("UpdateWorkflow", mock.Anything, client.UpdateWorkflowOptions{
				WorkflowID: workflowID, UpdateName: name, Args: []any{asked}, WaitForStage: client.WorkflowUpdateStageCompleted,
			}).Return(handle, nil)

			view, err := do(signaller.New(c), t.Context(), key(), asked)
			require.NoError(t, err)
			require.Equal(t, signals.StatusActive, view.Status)
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()

	handle := mocks.NewWorkflowUpdateHandle(t)
	handle.On("Get", mock.Anything, mock.Anything).Return(temporal.NewApplicationError("it is closed", signals.RefusedError))

	c := mocks.NewClient(t)
	c.On("UpdateWorkflow", mock.Anything, mock.MatchedBy(func(o client.UpdateWorkflowOptions) bool {
		return o.UpdateID == "once"
	})).Return(handle, nil)

	_, err := signaller.New(c).Do(t.Context(), key(), signals.AcceptUpdate, "once", signals.Command{AgentID: "smith"})
	require.ErrorIs(t, err, signaller.ErrRefused)
	require.ErrorContains(t, err, "it is closed")

	other := mocks.NewClient(t)
	cause := errors.New("away")
	other.On("QueryWorkflow", mock.Anything, workflowID, "", signals.StateQuery).Return(nil, cause)

	_, err = signaller.New(other).State(t.Context(), key())
	require.ErrorIs(t, err, cause)
}
