package acquire

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// Words of a message.
const (
	typeMessage = "message"
	typeEvent   = "event"

	senderContact = "contact"
	senderUser    = "user"
	senderAgent   = "agent"
	senderVisitor = "visitor"
)

// Forms of a message in a webhook whose data is not documented, beside the
// object that the encoder writes.
const (
	formFlat   = "flat"
	formList   = "list"
	formObject = "object"
	formText   = "text"
)

// NoteTranscriptCut is the kind of the note that tells how many messages of a
// transcript did not become events.
const NoteTranscriptCut = "transcript_cut"

// transcript takes the messages out of data, in their order; the newest are the
// last.
func (d *decoder) transcript(conversation string, from author) []signals.Event {
	var all []json.RawMessage

	if json.Unmarshal(d.data["messages"], &all) != nil || len(all) == 0 {
		return nil
	}

	cut := max(0, len(all)-MaxTranscript)
	all = all[cut:]

	if slices.ContainsFunc(all, func(raw json.RawMessage) bool { return !dialect.IsObject(raw) }) {
		return nil // nothing that could be told apart; the encoder writes it as it came
	}

	delete(d.data, "messages")

	var events []signals.Event

	if cut > 0 {
		events = append(events, signals.Event{
			ID:   signals.DerivedID(d.name, NoteTranscriptCut, conversation, strconv.Itoa(cut)),
			Type: signals.SystemNoted, Conversation: conversation, Raw: json.RawMessage(`{}`),
			Note: &signals.Note{
				Kind: NoteTranscriptCut, Visibility: signals.VisibleToAgents,
				Text: strconv.Itoa(cut) + " older messages of the transcript are in the webhook's raw text only",
			},
		})
	}

	for _, raw := range all {
		events = append(events, d.message(conversation, readObject(raw), raw, from))
	}

	fillDates(events)

	return events
}

// fillDates gives a message without a date that of the one before it, or of the
// first that has one: it is no newer than what the transcript says after it.
func fillDates(events []signals.Event) {
	var at time.Time

	for i := range events {
		if at = events[i].At; !at.IsZero() {
			break
		}
	}

	for i := range events {
		if events[i].At.IsZero() {
			events[i].At = at
		}

		at = events[i].At
	}
}

// messages reads case:message:new, whose data is not documented: the messages
// may be a list as in case:status, one object, or lie flat in data.
func (d *decoder) messages() []signals.Event {
	conversation := caseOf(d.data)
	if conversation == "" {
		return d.unknown()
	}

	_, from := d.contact(conversation, d.data["contact"])
	one := readObject(d.data["message"])
	text := textOf(d.data)

	var (
		events []signals.Event
		form   string
		rest   = d.data
	)

	switch {
	case len(one) > 0:
		d.data.takeSole(keyCase, caseOf)

		raw := d.data["message"]
		delete(d.data, "message")

		events = []signals.Event{d.message(conversation, one, raw, from)}
	case text != "":
		d.data.takeSole(keyCase, caseOf)

		form, rest = formFlat, object{}
		if contact, there := d.data["contact"]; there {
			rest["contact"] = contact
			delete(d.data, "contact")
		}

		events = []signals.Event{d.message(conversation, d.data, d.raw, from)}
	default:
		if events = d.transcript(conversation, from); len(events) == 0 {
			return d.unknown()
		}

		form = formList

		d.data.takeSole(keyCase, caseOf)
	}

	last := &events[len(events)-1]
	keep(last, levelData, rest)
	keep(last, levelEnvelope, d.top)

	if form != "" {
		keepForm(last, form)
	}

	return events
}

func keepForm(event *signals.Event, form string) {
	keep(event, levelForm, object{"is": quote(form)})
}

// message reads one message; o is taken apart. raw is its own text.
func (d *decoder) message(conversation string, o object, raw json.RawMessage, from author) signals.Event {
	event := signals.Event{Conversation: conversation, Raw: raw}

	id := messageID(o)
	if natural(id) {
		event.ID = id
		o.takeSole(keyID, messageID)
	} else {
		id = ""
		event.ID = signals.DerivedID(d.name, conversation, compact(raw))
	}

	if date := dateOf(o); date != "" {
		event.At = d.date(date)

		if writeDate(event.At) == date {
			o.takeSole(keyDate, dateOf)
		}
	}

	event.Actor = d.sender(o, from)

	word := o.takeWord("type", typeMessage, typeEvent)
	if word == typeEvent {
		event.Type = signals.SystemNoted
		event.Note = &signals.Note{Kind: typeEvent, Text: o.takeSole(keyText, textOf)}
	} else {
		event.Type = signals.MessageReceived
		event.Message = &signals.Message{
			ID: id, Text: o.takeSole(keyText, textOf), Kind: kind(word),
			Channel: o.take("channel"), Seen: o.take("seen"),
		}
	}

	keep(&event, levelMessage, o)

	return event
}

// Where a message has its id, its text and its date: first the member that the
// documentation shows.
func messageID(o object) string { return o.peek(keyID, "messageId", "_id") }
func textOf(o object) string    { return o.peek(keyText, "text", "body", "msg") }
func dateOf(o object) string    { return o.peek(keyDate, "date_created", "createdAt") }

// natural reports whether an id can stand for its event. One that looks derived
// would be forgotten after the retry window.
func natural(id string) bool {
	return id != "" && len(id) <= signals.MaxIDBytes && !signals.IsDerived(id)
}

// kind is what the platform's type of a message says. Only message and event
// are documented; file, image and attachment are taken by their word, and what
// else comes is neither a question nor an answer.
func kind(word string) signals.MessageKind {
	switch word {
	case "", typeMessage, "text":
		return signals.KindText
	case "file", "image", "attachment":
		return signals.KindFile
	default:
		return signals.KindCustom
	}
}

// sender reads who sent a message of version 2.
func (d *decoder) sender(o object, from author) *signals.Actor {
	id, word := o.peek("senderId"), o.takeWord("senderType", senderContact, senderUser)
	if id == "" && word == "" {
		return nil
	}

	o.take("senderId")

	switch word {
	case senderContact:
		actor := &signals.Actor{ID: prefixed(contactPrefix, id), Role: signals.RoleVisitor}
		if from.id != "" && actor.ID == from.id {
			actor.Name, actor.Email = from.name, from.email
		}

		return actor
	case senderUser:
		return d.agent(id, "")
	default:
		return &signals.Actor{ID: id, Role: signals.RoleUnknown}
	}
}

// agent is a user of Acquire's, unless the source knows the id as a bot's.
func (d *decoder) agent(id, name string) *signals.Actor {
	return &signals.Actor{ID: id, Role: d.agentRole(id), Name: signals.Cut(name, maxNameBytes)}
}

func (d *decoder) agentRole(id string) signals.Role {
	if slices.Contains(d.src.Bots, id) {
		return signals.RoleBot
	}

	return signals.RoleAgent
}

func prefixed(prefix, id string) string {
	if id == "" {
		return ""
	}

	return prefix + id
}

// compact drops the blanks, so that the same content has the same derived id.
func compact(raw []byte) string {
	var out bytes.Buffer

	if json.Compact(&out, raw) != nil { // raw has been decoded
		return string(raw)
	}

	return out.String()
}
