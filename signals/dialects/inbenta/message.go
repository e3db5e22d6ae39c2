package inbenta

import (
	"encoding/json"

	"github.com/parleyhq/parley/signals"
)

// Types of messages.
const (
	typeText   = "text"
	typeMedia  = "media"
	typeSystem = "system"
)

// flat reports whether data is the message itself, which no page shows: its
// content stands where the message object would. Such a form is read, and
// written back as the published one.
func (d *decoder) flat() bool {
	inner := d.data.in(keyMessage)

	return inner == nil || inner[keyMessage] == nil && (d.data["sender"] != nil || d.data["type"] != nil)
}

func (d *decoder) message(event *signals.Event) {
	flat := d.flat()

	sender := d.data.claim(senderHome(), senderPlaces())
	message := d.data.in(keyMessage)
	user := message.in("sender")

	if flat {
		message, user = d.data, d.data.in("sender")
	}

	if user == nil {
		user = d.data.in(keyUser)
	}

	event.Actor = d.actor(sender, user)
	event.Message = &signals.Message{ID: messageID(message, event.Conversation)}

	if event.Message.ID != "" && len(event.Message.ID) <= signals.MaxIDBytes {
		event.ID = event.Message.ID
	}

	readContent(message, event.Message)

	if flat {
		d.data = nil

		return
	}

	d.pruneMessage(event.Conversation)
}

// messageID takes the id of a message; in a flat form it must not be the chat's.
func messageID(message object, conversation string) string {
	id := message.take("id")
	if id == "" || id == conversation {
		return text(message["messageId"])
	}

	return id
}

// readContent reads what was sent: a string, a file, or what is not known.
func readContent(message object, into *signals.Message) {
	kind := text(message["type"])

	if said, ok := message[keyMessage].(string); ok {
		into.Kind, into.Text = signals.KindText, said

		switch kind {
		case typeSystem:
			into.Kind = signals.KindSystem
		case typeText:
			delete(message, "type")
		}

		delete(message, keyMessage)

		return
	}

	if media := message.in(keyMessage); media != nil && (kind == typeMedia || text(media["url"]) != "") {
		into.Kind = signals.KindFile
		into.File = readFile(media)

		if kind == typeMedia {
			delete(message, "type")
		}

		message.prune(keyMessage)

		return
	}

	into.Kind = signals.KindCustom

	if content, ok := message[keyMessage]; ok {
		if raw, err := json.Marshal(content); err == nil { // it came from JSON
			into.Custom = raw

			delete(message, keyMessage)
		}
	}
}

// readFile reads a media object; only url and type are published.
func readFile(media object) *signals.File {
	file := &signals.File{Name: media.take("name"), URL: media.take("url"), ContentType: media.take("type")}

	if size := media.takeNumber("size"); size != nil {
		file.Size = *size

		if file.Size == 0 { // a zero is not written back
			media["size"] = json.Number("0")
		}
	}

	return file
}

// pruneMessage drops what is left of a message that the encoder makes anew. Where
// the chat is named elsewhere, the empty object says that there was one.
func (d *decoder) pruneMessage(conversation string) {
	if !d.data.says(conversation, place{keyMessage, keyChat}, chatPlaces()) {
		d.data.prune(keyMessage)
	}
}

// seen is a read mark; the sender is who wrote the message, the user who read
// it.
func (d *decoder) seen(event *signals.Event) {
	id, user := d.user()
	event.Actor = d.actor(id, user)
	event.Read = &signals.Read{UserID: id, MessageID: d.data.claim(readHome(), readPlaces())}
	d.pruneMessage(event.Conversation)
}

// note is a system event; the published one is the ticket that a closed chat
// became.
func (d *decoder) note(event *signals.Event) {
	event.Note = &signals.Note{Kind: d.trigger, TicketID: d.data.claim(ticketHome(), ticketPlaces())}

	if event.Note.TicketID != "" {
		d.data.prune("data")
	}

	for _, at := range []place{{"data", keyMessage}, {"data", "text"}, {keyMessage}} {
		if said := text(d.data.get(at)); said != "" {
			event.Note.Text = said

			break
		}
	}
}
