package signals

import (
	"fmt"
	"strconv"
	"time"
)

// Bounds of what an event may carry at the edge, in bytes and counts. They keep
// a conversation's state, and every id in it, small.
const (
	MaxIDBytes           = 255
	MaxConversationBytes = 1024
	MaxTagBytes          = 1024
	MaxTags              = 1000
)

// firstYear is the earliest year of an At: before it no live chat was kept.
const firstYear = 2000

// lastYear is the latest that a JSON time can carry.
const lastYear = 9999

// Validate reports the first field that makes e unusable, as a [*FieldError]
// whose path is that of the event's JSON. An At is compared with ReceivedAt,
// so set that first.
func (e Event) Validate() error { return validate(&e, false) }

// ValidateSignal is [Event.Validate] for an event that a service signals
// straight to a workflow: it may leave out id and conversation, which the
// workflow id tells, and is then not deduplicated.
func (e Event) ValidateSignal() error { return validate(&e, true) }

func validate(e *Event, direct bool) error {
	if err := checkType(e); err != nil {
		return err
	}

	if err := checkIDs(e, direct); err != nil {
		return err
	}

	for _, check := range [...]func(*Event) error{checkAt, checkActor, checkBlock, checkBounds} {
		if err := check(e); err != nil {
			return err
		}
	}

	return nil
}

func checkType(e *Event) error {
	if e.Type == "" {
		return missing("type")
	}

	if !e.Type.Known() {
		return &FieldError{Field: "type", Reason: "is none that Parley knows"}
	}

	return nil
}

func checkIDs(e *Event, direct bool) error {
	if e.ID == "" && !direct {
		return missing("id")
	}

	if e.Source != "" && !ValidName(e.Source) {
		return &FieldError{Field: "source", Reason: "must match [a-z0-9-]{1,40}"}
	}

	if e.Conversation == "" && !direct && !e.Type.account() {
		return missing("conversation")
	}

	return firstError(
		short("id", e.ID, MaxIDBytes),
		short("conversation", e.Conversation, MaxConversationBytes),
		short("thread", e.Thread, MaxIDBytes),
	)
}

func checkAt(e *Event) error {
	switch {
	case e.At.IsZero():
		return missing("at")
	case e.At.Year() < firstYear, e.At.Year() > lastYear:
		return &FieldError{Field: "at", Reason: "must be in the year " + strconv.Itoa(firstYear) + " or later"}
	case !e.ReceivedAt.IsZero() && e.At.After(e.ReceivedAt.AddDate(1, 0, 0)):
		return &FieldError{Field: "at", Reason: "is more than a year ahead of " + e.ReceivedAt.UTC().Format(time.RFC3339)}
	default:
		return nil
	}
}

func checkActor(e *Event) error {
	if e.Actor == nil {
		return nil
	}

	return firstError(
		role("actor.role", e.Actor.Role),
		visibility("actor.visibility", e.Actor.Visibility),
		short("actor.id", e.Actor.ID, MaxIDBytes),
	)
}

// checkBlock asks for the block without which an event of its type says
// nothing. Other types may come bare.
func checkBlock(e *Event) error {
	switch e.Type {
	case MessageReceived, MessageUpdated, MessageDeleted:
		return checkMessage(e)
	case MessagePreview:
		return need("preview", e.Preview)
	case TypingChanged:
		return need("typing", e.Typing)
	case PresenceChanged:
		return checkPresence(e)
	case FormSubmitted:
		return need("form", e.Form)
	case UnrepliedReported:
		return need("unreplied", e.Unreplied)
	case PropertiesUpdated, PropertiesDeleted:
		return need("properties", e.Properties)
	case ParticipantJoined, ParticipantLeft:
		return checkParticipant(e)
	case TagAdded, TagRemoved:
		if e.Tag == nil || e.Tag.Name == "" {
			return missing("tag.name")
		}

		return nil
	default:
		return nil
	}
}

func checkMessage(e *Event) error {
	if e.Message == nil {
		return missing("message")
	}

	if e.Type != MessageReceived && e.Message.ID == "" {
		return missing("message.id")
	}

	switch e.Message.Kind {
	case "", KindText, KindFile, KindForm, KindRich, KindCustom, KindSystem:
		return nil
	default:
		return &FieldError{Field: "message.kind", Reason: "must be text, file, form, rich, custom or system"}
	}
}

func checkPresence(e *Event) error {
	if e.Presence == nil {
		return missing("presence")
	}

	switch e.Presence.State {
	case PresenceAway, PresenceBack, PresenceOffline:
		return nil
	default:
		return &FieldError{Field: "presence.state", Reason: "must be away, back or offline"}
	}
}

func checkParticipant(e *Event) error {
	if e.Participant == nil || e.Participant.ID == "" {
		return missing("participant.id")
	}

	return nil
}

// checkBounds looks at what every block may carry, whatever the type.
func checkBounds(e *Event) error {
	if e.Message != nil {
		if err := firstError(
			short("message.id", e.Message.ID, MaxIDBytes),
			visibility("message.visibility", e.Message.Visibility),
		); err != nil {
			return err
		}
	}

	if e.Participant != nil {
		if err := checkOneParticipant("participant", e.Participant); err != nil {
			return err
		}
	}

	if e.Tag != nil {
		if err := short("tag.name", e.Tag.Name, MaxTagBytes); err != nil {
			return err
		}
	}

	if e.Closing != nil {
		if err := firstError(
			role("closing.by_role", e.Closing.ByRole),
			short("closing.by_id", e.Closing.ByID, MaxIDBytes),
		); err != nil {
			return err
		}
	}

	if e.Assignment != nil {
		if err := short("assignment.agent_id", e.Assignment.AgentID, MaxIDBytes); err != nil {
			return err
		}
	}

	return checkDetails(e)
}

func checkDetails(e *Event) error {
	if e.Details == nil {
		return nil
	}

	if len(e.Details.Tags) > MaxTags {
		return &FieldError{Field: "details.tags", Reason: "has more than " + strconv.Itoa(MaxTags) + " tags"}
	}

	for i, tag := range e.Details.Tags {
		if err := short(fmt.Sprintf("details.tags[%d]", i), tag, MaxTagBytes); err != nil {
			return err
		}
	}

	for i := range e.Details.Participants {
		if err := checkOneParticipant(fmt.Sprintf("details.participants[%d]", i), &e.Details.Participants[i]); err != nil {
			return err
		}
	}

	return nil
}

func checkOneParticipant(path string, p *Participant) error {
	return firstError(
		short(path+".id", p.ID, MaxIDBytes),
		role(path+".role", p.Role),
		visibility(path+".visibility", p.Visibility),
	)
}

func missing(field string) error { return Missing(field) }

func need[T any](field string, block *T) error {
	if block == nil {
		return missing(field)
	}

	return nil
}

func short(field, value string, limit int) error {
	if len(value) > limit {
		return &FieldError{Field: field, Reason: "is longer than " + strconv.Itoa(limit) + " bytes"}
	}

	return nil
}

func role(field string, r Role) error {
	if r != "" && !r.Valid() {
		return &FieldError{Field: field, Reason: "must be visitor, agent, bot, system or unknown"}
	}

	return nil
}

func visibility(field string, v Visibility) error {
	if v != "" && v != VisibleToAll && v != VisibleToAgents {
		return &FieldError{Field: field, Reason: "must be all or agents"}
	}

	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}

	return nil
}
