package signals

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// flatHead is what a flat payload says beside its block's own fields.
type flatHead struct {
	EventID string    `json:"event_id"`
	At      time.Time `json:"at"`
	Thread  string    `json:"thread"`
	Role    Role      `json:"role"`
	ActorID string    `json:"actor_id"`
	Name    string    `json:"name"`
}

// flatSignal is how one convenience signal is read.
type flatSignal struct {
	kind Type
	// block is the name under which a whole event carries what lies flat here.
	block string
	role  Role
	// fill reads the block's fields and checks what its event needs.
	fill func(*Event, json.RawMessage) error
}

// DecodeFlat makes an event of the payload of a convenience signal to the
// conversation named key, received at now: a bare object with the fields of the
// event's block, or a whole event (contract, section 6).
//
// Beside the block's fields, event_id, at and thread go to the event, and role,
// actor_id and name to its actor, whose role is visitor if nothing else is said,
// system for a close, and always agent for an acceptance. Without an event_id
// the event is not deduplicated. Errors are a [*FieldError], or wrap
// [ErrBadName] for a signal that is none of these.
func DecodeFlat(signalName string, raw json.RawMessage, key Key, now time.Time) (Event, error) {
	form, ok := flatSignalOf(signalName)
	if !ok {
		return Event{}, fmt.Errorf("%w: %q is no convenience signal", ErrBadName, signalName)
	}

	if trimmed := bytes.TrimSpace(raw); len(trimmed) == 0 || trimmed[0] != '{' {
		return Event{}, &FieldError{Field: signalName, Reason: "must be an object"}
	}

	event, err := form.decode(raw)
	if err != nil {
		return Event{}, err
	}

	if event.Conversation != "" && (Key{Source: key.Source, Conversation: event.Conversation}).WorkflowID() != key.WorkflowID() {
		return Event{}, &FieldError{Field: "conversation", Reason: "is another than the workflow's"}
	}

	if event.Conversation == "" {
		event.Conversation = key.Conversation
	}

	event.Source, event.ReceivedAt, event.Seq, event.Inbox, event.Raw = key.Source, now, 0, "", nil

	if event.At.IsZero() {
		event.At = now
	}

	form.actor(&event)

	if err := event.ValidateSignal(); err != nil {
		return Event{}, err
	}

	return event, nil
}

func flatSignalOf(name string) (flatSignal, bool) {
	switch name {
	case EscalationSignal:
		return flatSignal{EscalationRequested, "escalation", RoleVisitor, fillEscalation}, true
	case MessageSignal:
		return flatSignal{MessageReceived, "message", RoleVisitor, fillMessage}, true
	case TypingSignal:
		return flatSignal{TypingChanged, "typing", RoleVisitor, fillTyping}, true
	case AgentAcceptedSignal:
		return flatSignal{AgentAccepted, "assignment", RoleAgent, fillAssignment}, true
	case QueueMoveSignal:
		return flatSignal{QueueMoved, "queue", RoleVisitor, fillQueue}, true
	case CloseSignal:
		return flatSignal{ConversationClosed, "closing", RoleSystem, fillClosing}, true
	default:
		return flatSignal{}, false
	}
}

func (f flatSignal) decode(raw json.RawMessage) (Event, error) {
	var members map[string]json.RawMessage

	if err := decodeFields(raw, &members); err != nil {
		return Event{}, err
	}

	_, typed := members["type"]
	block := bytes.TrimSpace(members[f.block])

	if typed || len(block) > 0 && block[0] == '{' {
		return f.whole(raw)
	}

	return f.flat(raw)
}

func (f flatSignal) whole(raw json.RawMessage) (Event, error) {
	var event Event

	if err := decodeFields(raw, &event); err != nil {
		return Event{}, err
	}

	switch event.Type {
	case "":
		event.Type = f.kind
	case f.kind:
	default:
		return Event{}, &FieldError{Field: "type", Reason: "must be " + string(f.kind) + " for this signal"}
	}

	if f.kind == MessageReceived && event.Message != nil && event.Message.Kind == "" {
		message := *event.Message
		message.Kind = KindText
		event.Message = &message
	}

	return event, nil
}

func (f flatSignal) flat(raw json.RawMessage) (Event, error) {
	var head flatHead

	if err := decodeFields(raw, &head); err != nil {
		return Event{}, err
	}

	if err := role("role", head.Role); err != nil {
		return Event{}, err
	}

	event := Event{
		ID: head.EventID, Type: f.kind, Thread: head.Thread, At: head.At,
		Actor: &Actor{ID: head.ActorID, Role: head.Role, Name: head.Name},
	}

	if err := f.fill(&event, raw); err != nil {
		return Event{}, err
	}

	return event, nil
}

// actor fills in who did it, where the payload leaves that open.
func (f flatSignal) actor(event *Event) {
	actor := Actor{}
	if event.Actor != nil {
		actor = *event.Actor
	}

	event.Actor = &actor

	if actor.Role == "" {
		actor.Role = f.role
	}

	switch f.kind {
	case AgentAccepted:
		actor.Role = RoleAgent
		fromAssignment(&actor, event)
	case ConversationClosed:
		closing := Closing{}
		if event.Closing != nil {
			closing = *event.Closing
		}

		closing.ByID = cmp.Or(closing.ByID, actor.ID)
		closing.ByRole = cmp.Or(closing.ByRole, actor.Role)
		actor.ID, actor.Role = closing.ByID, closing.ByRole
		event.Closing = &closing
	default: // the others say nothing more about who did it
	}
}

// fromAssignment makes the agent the actor, and the actor the agent.
func fromAssignment(actor *Actor, event *Event) {
	assignment := Assignment{}
	if event.Assignment != nil {
		assignment = *event.Assignment
	}

	assignment.AgentID = cmp.Or(assignment.AgentID, actor.ID)
	assignment.AgentName = cmp.Or(assignment.AgentName, actor.Name)
	assignment.AgentNickname = cmp.Or(assignment.AgentNickname, actor.Nickname)
	actor.ID, actor.Name, actor.Nickname = assignment.AgentID, assignment.AgentName, assignment.AgentNickname
	event.Assignment = &assignment
}

func fillEscalation(event *Event, raw json.RawMessage) error {
	event.Escalation = &Escalation{}

	return decodeFields(raw, event.Escalation)
}

func fillMessage(event *Event, raw json.RawMessage) error {
	event.Message = &Message{}

	if err := decodeFields(raw, event.Message); err != nil {
		return err
	}

	event.Message.ID = cmp.Or(event.Message.ID, event.ID)
	event.Message.Kind = cmp.Or(event.Message.Kind, KindText)

	if event.Message.Kind == KindText && event.Message.Text == "" {
		return missing("text")
	}

	return nil
}

// fillTyping takes a signal that does not say on for one that does.
func fillTyping(event *Event, raw json.RawMessage) error {
	event.Typing = &Typing{On: true}

	return decodeFields(raw, event.Typing)
}

func fillAssignment(event *Event, raw json.RawMessage) error {
	event.Assignment = &Assignment{}

	if err := decodeFields(raw, event.Assignment); err != nil {
		return err
	}

	if event.Assignment.AgentID == "" && event.Actor.ID == "" {
		return missing("agent_id")
	}

	return nil
}

func fillQueue(event *Event, raw json.RawMessage) error {
	event.Queue = &Queue{}

	return decodeFields(raw, event.Queue)
}

func fillClosing(event *Event, raw json.RawMessage) error {
	event.Closing = &Closing{}

	return decodeFields(raw, event.Closing)
}

// decodeFields is json.Unmarshal that names the field at fault.
func decodeFields(raw json.RawMessage, into any) error {
	err := json.Unmarshal(raw, into)
	if err == nil {
		return nil
	}

	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
		return &FieldError{Field: wrong.Field, Reason: "must be no " + wrong.Value}
	}

	if _, ok := errors.AsType[*time.ParseError](err); ok {
		return &FieldError{Field: "at", Reason: "must be an RFC 3339 time"}
	}

	return &FieldError{Field: "payload", Reason: err.Error()}
}

// OrderFlat returns events that came by different convenience signals and were
// drained together in the order in which they are applied: by At, then by what
// they say. Temporal's SDK keeps no order between signals of different names.
func OrderFlat(events []Event) []Event {
	ordered := slices.Clone(events)

	slices.SortStableFunc(ordered, func(a, b Event) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(flatRank(a.Type), flatRank(b.Type)))
	})

	return ordered
}

// flatRank is the order of a lifecycle; what is no convenience signal comes
// between message and typing.
func flatRank(t Type) int {
	switch t {
	case EscalationRequested:
		return 0
	case AgentAccepted:
		return 1
	case QueueMoved:
		return 2
	case MessageReceived:
		return 3
	case TypingChanged:
		return 5
	case ConversationClosed:
		return 6
	default:
		return 4
	}
}
