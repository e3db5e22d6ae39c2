package signals

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// flatEvent is the form of a convenience signal: the block's fields lie flat
// beside those of the actor and the event (contract, section 6).
type flatEvent struct {
	EventID string    `json:"event_id"`
	At      time.Time `json:"at"`
	Thread  string    `json:"thread"`

	Role    Role   `json:"role"`
	ActorID string `json:"actor_id"`
	Name    string `json:"name"`
}

// DecodeFlat reads the payload of a convenience signal: the flat form, or a
// whole event of the signal's type. What comes this way is never believed when
// it says seq, inbox or received_at; without an id it is not deduplicated.
func DecodeFlat(signal string, raw json.RawMessage, key Key, now time.Time) (Event, error) {
	eventType, ok := flatTypes()[signal]
	if !ok {
		return Event{}, &FieldError{Field: "signal", Reason: "is none of the convenience signals: " + signal}
	}

	var whole Event
	if err := json.Unmarshal(raw, &whole); err != nil || whole.Type == "" {
		if whole, err = decodeFlat(signal, eventType, raw); err != nil {
			return Event{}, err
		}
	}

	if whole.Type != eventType {
		return Event{}, &FieldError{Field: "type", Reason: fmt.Sprintf("is %s, but the signal %s carries %s", whole.Type, signal, eventType)}
	}

	whole.Source, whole.Conversation = key.Source, ""
	whole.Seq, whole.Inbox, whole.ReceivedAt = 0, "", now

	if whole.At.IsZero() {
		whole.At = now
	}

	if err := whole.ValidateSignal(); err != nil {
		return Event{}, err
	}

	return whole, nil
}

func decodeFlat(signal string, eventType Type, raw json.RawMessage) (Event, error) {
	var flat flatEvent
	if err := json.Unmarshal(raw, &flat); err != nil {
		return Event{}, fmt.Errorf("the signal %s wants a JSON object: %w", signal, err)
	}

	event := Event{ID: flat.EventID, Type: eventType, At: flat.At, Thread: flat.Thread}

	block, err := flatBlock(&event, eventType, flat)
	if err != nil {
		return Event{}, err
	}

	if err := json.Unmarshal(raw, block); err != nil {
		return Event{}, fmt.Errorf("the signal %s: %w", signal, err)
	}

	event.Actor = flat.actor(eventType)

	switch eventType { //nolint:exhaustive // the others need nothing more
	case MessageReceived:
		if event.Message.Kind == "" {
			event.Message.Kind = KindText
		}
	case AgentAccepted:
		event.acceptedBy(flat)
	}

	return event, nil
}

// flatBlock sets the block of a type and returns it to be decoded into.
func flatBlock(event *Event, eventType Type, flat flatEvent) (any, error) {
	switch eventType { //nolint:exhaustive // the types of the convenience signals
	case EscalationRequested:
		event.Escalation = &Escalation{}

		return event.Escalation, nil
	case MessageReceived:
		event.Message = &Message{ID: flat.EventID}

		return event.Message, nil
	case TypingChanged:
		// Saying that somebody types is what the signal is for; "on": false
		// takes it back.
		event.Typing = &Typing{On: true}

		return event.Typing, nil
	case AgentAccepted:
		event.Assignment = &Assignment{}

		return event.Assignment, nil
	case QueueMoved:
		event.Queue = &Queue{}

		return event.Queue, nil
	case ConversationClosed:
		event.Closing = &Closing{}

		return event.Closing, nil
	default:
		return nil, &FieldError{Field: "type", Reason: "has no flat form"}
	}
}

func (f *flatEvent) actor(eventType Type) *Actor {
	role := f.Role

	if role == "" {
		switch eventType { //nolint:exhaustive // everybody else is the visitor
		case ConversationClosed:
			role = RoleSystem
		case AgentAccepted:
			role = RoleAgent
		default:
			role = RoleVisitor
		}
	}

	return &Actor{ID: f.ActorID, Role: role, Name: f.Name}
}

// acceptedBy makes actor and assignment agree on who the agent is.
func (e *Event) acceptedBy(flat flatEvent) {
	if e.Assignment.AgentID == "" {
		e.Assignment.AgentID = flat.ActorID
	}

	if e.Assignment.AgentName == "" {
		e.Assignment.AgentName = flat.Name
	}

	e.Actor.ID, e.Actor.Name = e.Assignment.AgentID, e.Assignment.AgentName
	e.Actor.Role = RoleAgent
}

// OrderFlat puts events of convenience signals that were taken in together
// into one order: by At, else escalation, agent-accepted, queue-move, message,
// typing, close.
func OrderFlat(events []Event) []Event {
	slices.SortStableFunc(events, func(a, b Event) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}

		return flatRank(a.Type) - flatRank(b.Type)
	})

	return events
}

func flatRank(t Type) int {
	return slices.Index([]Type{
		EscalationRequested, AgentAccepted, QueueMoved, MessageReceived, TypingChanged, ConversationClosed,
	}, t)
}

func flatTypes() map[string]Type {
	return map[string]Type{
		EscalationSignal:    EscalationRequested,
		MessageSignal:       MessageReceived,
		TypingSignal:        TypingChanged,
		AgentAcceptedSignal: AgentAccepted,
		QueueMoveSignal:     QueueMoved,
		CloseSignal:         ConversationClosed,
	}
}
