// Package signaller is a small client for services that signal conversations
// straight through Temporal, without the gateway.
//
// It sends what the package signals defines and nothing else, so that a service
// in another language can do the same with any Temporal SDK: signals named
// events, message, escalation and so on to the workflow
// conversation:<source>:<chat id> on the task queue parley.
package signaller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/parleyhq/parley/signals"
)

// The errors that a caller may want to tell apart.
var (
	// ErrNotRunning says that no such conversation runs. What may not start one
	// is not kept for it.
	ErrNotRunning = errors.New("the conversation is not running")
	// ErrRefused says that the conversation refused a command in its present
	// state; the text says why.
	ErrRefused = errors.New("refused")
)

// taskTimeout is how soon Temporal gives a conversation's task to another
// worker. It is that of the gateway.
const taskTimeout = 2 * time.Second

// Signaller signals conversations. It is safe for use by many goroutines.
type Signaller struct {
	temporal client.Client
}

// New returns a signaller that uses a client, which stays the caller's to close.
func New(c client.Client) *Signaller { return &Signaller{temporal: c} }

// From says whom and what an event is from, in the form in which the
// convenience signals carry it. Every field may be left out.
type From struct {
	// EventID makes a repeat of the same event harmless.
	EventID string       `json:"event_id,omitempty"`
	At      time.Time    `json:"at,omitzero"`
	Thread  string       `json:"thread,omitempty"`
	Role    signals.Role `json:"role,omitempty"`
	ActorID string       `json:"actor_id,omitempty"`
	Name    string       `json:"name,omitempty"`
}

// The payloads of the convenience signals: the fields of the block lie beside
// those of [From].
type (
	flatMessage struct {
		From
		signals.Message
	}
	flatEscalation struct {
		From
		signals.Escalation
	}
	flatTyping struct {
		From
		signals.Typing
	}
	flatAssignment struct {
		From
		signals.Assignment
	}
	flatQueue struct {
		From
		signals.Queue
	}
	flatClosing struct {
		From
		signals.Closing
	}
)

// Events sends events as one batch, which is applied whole before any clock is
// looked at. It starts the conversation if one of them may start it and it does
// not run; else it returns [ErrNotRunning]. An event without an At gets the
// present. Of events that are not valid none is sent; the error is then a
// [*signals.FieldError].
func (s *Signaller) Events(ctx context.Context, key signals.Key, events ...signals.Event) error {
	starts := false
	now := time.Now()
	complete := make([]signals.Event, 0, len(events))

	for i := range events {
		event := events[i]
		event.Source, event.Conversation = key.Source, key.Conversation
		starts = starts || event.Type.MayStart()

		if event.At.IsZero() {
			event.At = now
		}

		if err := event.ValidateSignal(); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}

		complete = append(complete, event)
	}

	batch, err := signals.NewBatch(complete)
	if err != nil {
		return fmt.Errorf("signal %s: %w", key, err)
	}

	return s.send(ctx, key, signals.EventsSignal, batch, starts)
}

// Message says that somebody wrote, the visitor if from names no other role. It
// starts the conversation if need be.
func (s *Signaller) Message(ctx context.Context, key signals.Key, from From, message signals.Message) error {
	return s.send(ctx, key, signals.MessageSignal, flatMessage{from, message}, true)
}

// Escalate says that the visitor wants a person. It starts the conversation if
// need be.
func (s *Signaller) Escalate(ctx context.Context, key signals.Key, from From, escalation signals.Escalation) error {
	return s.send(ctx, key, signals.EscalationSignal, flatEscalation{from, escalation}, true)
}

// Typing says that somebody began or stopped writing.
func (s *Signaller) Typing(ctx context.Context, key signals.Key, from From, on bool) error {
	return s.send(ctx, key, signals.TypingSignal, flatTyping{from, signals.Typing{On: on}}, false)
}

// AgentAccepted says that the agent named in assignment has taken the
// conversation.
func (s *Signaller) AgentAccepted(ctx context.Context, key signals.Key, from From, assignment signals.Assignment) error {
	return s.send(ctx, key, signals.AgentAcceptedSignal, flatAssignment{from, assignment}, false)
}

// QueueMove says where the conversation stands in a waiting line.
func (s *Signaller) QueueMove(ctx context.Context, key signals.Key, from From, queue signals.Queue) error {
	return s.send(ctx, key, signals.QueueMoveSignal, flatQueue{from, queue}, false)
}

// Close says that the conversation was closed. To ask for it, use
// [Signaller.CloseConversation].
func (s *Signaller) Close(ctx context.Context, key signals.Key, from From, closing signals.Closing) error {
	return s.send(ctx, key, signals.CloseSignal, flatClosing{from, closing}, false)
}

// send signals a conversation, and starts it first where the signal may.
func (s *Signaller) send(ctx context.Context, key signals.Key, name string, payload any, starts bool) error {
	id := key.WorkflowID()

	if !starts {
		if err := s.temporal.SignalWorkflow(ctx, id, "", name, payload); err != nil {
			return explain(key, name, err)
		}

		return nil
	}

	options := client.StartWorkflowOptions{
		ID: id, TaskQueue: signals.TaskQueue, WorkflowTaskTimeout: taskTimeout,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	}

	if _, err := s.temporal.SignalWithStartWorkflow(ctx, id, name, payload, options, signals.ConversationWorkflow); err != nil {
		return explain(key, name, err)
	}

	return nil
}

// State returns how the conversation stands, while it runs and for as long as
// Temporal keeps it after that.
func (s *Signaller) State(ctx context.Context, key signals.Key) (signals.View, error) {
	var view signals.View

	answer, err := s.temporal.QueryWorkflow(ctx, key.WorkflowID(), "", signals.StateQuery)
	if err != nil {
		return view, explain(key, signals.StateQuery, err)
	}

	if err := answer.Get(&view); err != nil {
		return view, fmt.Errorf("read the state of %s: %w", key, err)
	}

	return view, nil
}

// explain tells the errors apart that are the conversation's own.
func explain(key signals.Key, name string, err error) error {
	var (
		notFound *serviceerror.NotFound
		refusal  *temporal.ApplicationError
	)

	switch {
	case errors.As(err, &notFound):
		return fmt.Errorf("%s to %s: %w", name, key, ErrNotRunning)
	case errors.As(err, &refusal) && refusal.Type() == signals.RefusedError:
		return fmt.Errorf("%s to %s: %w: %s", name, key, ErrRefused, refusal.Message())
	default:
		return fmt.Errorf("%s to %s: %w", name, key, err)
	}
}
