package inbenta

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// Keys of the envelope.
const (
	keyTrigger = "trigger"
	keyAppID   = "appId"
	keyData    = "data"
	keyCreated = "created_at"
)

// Keys of the objects in data.
const (
	keyMessage = "message"
	keyChat    = "chat"
	keyUser    = "user"
)

// Platform.Version says in which unit created_at came; the API has had one
// version only.
const (
	versionSeconds = "v1"
	versionMillis  = "v1-ms"
)

// millisFrom is where a number of seconds would be in the year 5138, and one of
// milliseconds is in 1973.
const millisFrom = 1e11

// maxRest bounds what is kept beyond the canonical fields, in bytes of JSON;
// more of it is in the archive only.
const maxRest = 16 << 10

// decoder holds one webhook while its event is made. Its data shrinks to the
// rest meanwhile.
type decoder struct {
	src     dialect.Source
	trigger string
	data    object
	// creator of the chat, where the payload tells.
	creator string
}

// Decode returns the one event of a webhook. A trigger that is not known
// becomes an event of type unknown.
func (Dialect) Decode(req dialect.Request, src dialect.Source) ([]signals.Event, error) {
	body, err := parse(req.Body)
	if err != nil {
		return nil, err
	}

	scrub(map[string]any(body))

	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", dialect.ErrMalformed, err)
	}

	d := &decoder{src: src, trigger: text(body[keyTrigger])}
	if d.trigger == "" {
		return nil, signals.Missing(keyTrigger)
	}

	d.data = body.in(keyData)
	at, version := created(body[keyCreated])

	event, err := d.event()
	if err != nil {
		return nil, err
	}

	event.Source, event.ReceivedAt, event.Raw = src.Name, req.ReceivedAt, raw
	event.At = plausible(at, req.ReceivedAt)
	event.Platform = &signals.Platform{
		Event: signals.Cut(d.trigger, signals.MaxIDBytes), Version: version,
		AppID: signals.Cut(text(body[keyAppID]), signals.MaxIDBytes), ChatProperties: d.rest(event.Type),
	}

	if event.ID == "" {
		event.ID = signals.DerivedID(d.trigger, string(raw))
	}

	if err := event.Validate(); err != nil {
		return nil, err
	}

	return []signals.Event{event}, nil
}

func (d *decoder) event() (signals.Event, error) {
	kind := eventType(d.trigger)

	if kind == signals.Unknown {
		return d.unknown(), nil
	}

	if d.data == nil {
		return signals.Event{}, &signals.FieldError{Field: keyData, Reason: "must be an object"}
	}

	d.creator = text(creator(chatOf(d.data)))
	event := signals.Event{Type: kind}

	home := chatHome(d.trigger, d.data)
	event.Conversation = d.data.claim(home, chatPlaces())

	if event.Conversation == "" {
		if kind != signals.SystemNoted {
			return signals.Event{}, signals.Missing(keyData + "." + home.String())
		}

		// A note may come without a chat; it belongs to the account then.
		event.Type = signals.Unknown
	}

	err := d.read(&event)

	return event, err
}

// read fills the block of an event.
func (d *decoder) read(event *signals.Event) error {
	switch event.Type {
	case signals.ConversationOpened:
		d.opened(event)
	case signals.ConversationClosed:
		d.closed(event)
	case signals.AssignmentRequested:
		d.assignment(event)
	case signals.AgentsUnavailable:
		available := false
		event.Availability = &signals.Availability{Available: &available}
	case signals.AgentAccepted:
		return d.accepted(event)
	case signals.ParticipantJoined, signals.ParticipantLeft:
		return d.member(event)
	case signals.MessageReceived:
		d.message(event)
	case signals.MessageRead:
		d.seen(event)
	case signals.QueueMoved:
		d.queue(event)
	case signals.TypingChanged:
		d.activity(event)
	default:
		d.note(event)
	}

	return nil
}

// unknown keeps a webhook that has no meaning here yet, with the chat it names,
// if any.
func (d *decoder) unknown() signals.Event {
	event := signals.Event{Type: signals.Unknown}

	if chat := d.data.find(place{"chatId"}, chatPlaces()); len(chat) <= signals.MaxConversationBytes {
		event.Conversation = chat
	}

	return event
}

// rest is what of the data no canonical field carries. An unknown event has it
// in Raw.
func (d *decoder) rest(kind signals.Type) map[string]json.RawMessage {
	if kind == signals.Unknown || len(d.data) == 0 {
		return nil
	}

	rest := make(map[string]json.RawMessage, len(d.data))
	size := 0

	for key, value := range d.data {
		raw, err := json.Marshal(value)
		if err != nil { // it came from JSON
			return nil
		}

		rest[key] = raw
		size += len(key) + len(raw)
	}

	if size > maxRest {
		return nil
	}

	return rest
}

// created reads the time of the webhook: a number of seconds or milliseconds,
// also as a string, or RFC 3339. Anything else is zero.
func created(value any) (time.Time, string) {
	said := text(value)

	if n, err := strconv.ParseInt(said, 10, 64); err == nil {
		if n >= millisFrom || n <= -millisFrom {
			return time.UnixMilli(n).UTC(), versionMillis
		}

		return time.Unix(n, 0).UTC(), versionSeconds
	}

	if f, err := strconv.ParseFloat(said, 64); err == nil && math.Abs(f) < millisFrom {
		return time.UnixMilli(int64(math.Round(f * 1000))).UTC(), versionSeconds
	}

	if at, err := time.Parse(time.RFC3339, said); err == nil {
		return at.UTC(), versionSeconds
	}

	return time.Time{}, versionSeconds
}

// oldest is the year before which there was no live chat.
const oldest = 2000

// plausible returns at unless no clock can have meant it; the time of receipt
// is nearer to the truth then.
func plausible(at, received time.Time) time.Time {
	limit := received.AddDate(1, 0, 0)
	if received.IsZero() {
		limit = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}

	if at.Year() < oldest || at.After(limit) {
		return received
	}

	return at
}
