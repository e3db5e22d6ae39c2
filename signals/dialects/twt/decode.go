package twt

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// Bounds of one webhook.
const (
	maxItems     = 1000
	maxNameBytes = signals.MaxIDBytes
)

// item is one object of content. Status, PushTimes and TimeSec belong to
// UNREPLIED.
type item struct {
	Subject               text  `json:"subject"`
	VisitorName           text  `json:"visitor_name"`
	CreatedAt             whole `json:"created_at"`
	MessageContent        free  `json:"message_content"`
	PropertyName          text  `json:"property_name"`
	VisitorNickname       text  `json:"visitor_nickname"`
	SBS                   text  `json:"sbs"`
	Status                text  `json:"status"`
	PushTimes             whole `json:"push_times"`
	TimeSec               whole `json:"time_sec"`
	AssignedAgentNickname text  `json:"assigned_agent_nickname"`
}

// decoder holds one webhook while its events are made.
type decoder struct {
	envelope

	src      dialect.Source
	received time.Time
}

// Decode returns one event for each object of content. A webhook under a name
// that is not known becomes events of type unknown, and so does one without
// content, which may be how the platform tries an address out.
func (Dialect) Decode(req dialect.Request, src dialect.Source) ([]signals.Event, error) {
	env, err := open(req)
	if err != nil {
		return nil, err
	}

	d := &decoder{envelope: env, src: src, received: req.ReceivedAt}

	if len(d.items) == 0 {
		event := d.unknown(nil)
		d.complete(&event, 0)

		return []signals.Event{event}, nil
	}

	events := make([]signals.Event, len(d.items))

	for i, raw := range d.items {
		event, err := d.event(raw, "content["+strconv.Itoa(i)+"]")
		if err != nil {
			return nil, err
		}

		d.complete(&event, i)

		if err := event.Validate(); err != nil {
			return nil, err
		}

		events[i] = event
	}

	return events, nil
}

func (d *decoder) event(raw json.RawMessage, path string) (signals.Event, error) {
	kind := meaning(d.name)
	if kind == signals.Unknown {
		return d.unknown(raw), nil
	}

	if !dialect.IsObject(raw) {
		return signals.Event{}, &signals.FieldError{Field: path, Reason: "must be an object"}
	}

	var said item

	if err := dialect.Unmarshal(raw, path, &said); err != nil {
		return signals.Event{}, err
	}

	since, err := said.CreatedAt.moment(dialect.Join(path, "created_at"), d.received)
	if err != nil {
		return signals.Event{}, err
	}

	event := signals.Event{Type: kind, Conversation: said.conversation(), Actor: said.actor(), Customer: said.customer()}
	if event.Conversation == "" {
		return signals.Event{}, signals.Missing(dialect.Join(path, "visitor_name"))
	}

	event.ID = d.id(&said, event.Conversation)

	if kind != signals.UnrepliedReported {
		d.form(&event, &said, since)

		return event, nil
	}

	err = d.unreplied(&event, &said, since, path)

	return event, err
}

// id is derived from what tells one notice from another. The status is a part
// of it, since the report that a message was answered may bear the number of
// the last push; so is the text, for forms of one second.
func (d *decoder) id(said *item, conversation string) string {
	webhook := d.webhookID
	if d.src.Options.TWT.NewWebhookID {
		webhook = ""
	}

	return signals.DerivedID(
		d.name, webhook, strconv.FormatInt(said.CreatedAt.value, 10), strconv.FormatInt(said.PushTimes.value, 10),
		string(said.VisitorName), conversation, string(said.Status), string(said.MessageContent),
	)
}

// unreplied fills in a report, which happened when it was sent.
func (d *decoder) unreplied(event *signals.Event, said *item, since time.Time, path string) error {
	pushes, err := said.PushTimes.natural(dialect.Join(path, "push_times"))
	if err != nil {
		return err
	}

	seconds, err := said.TimeSec.natural(dialect.Join(path, "time_sec"))
	if err != nil {
		return err
	}

	event.At = d.sent

	if event.At.IsZero() {
		event.At = after(since, seconds, d.received)
	}

	if since.IsZero() {
		since = after(event.At, -seconds, d.received)
	}

	event.Unreplied = &signals.Unreplied{
		PushTimes: int(pushes), Max: maxPushes, Seconds: seconds, Since: since, Text: string(said.MessageContent),
		Subject: string(said.Subject), Property: string(said.PropertyName), AgentNickname: string(said.AssignedAgentNickname),
		Status: statusOf(string(said.Status)), ReportedBy: "platform",
	}

	return nil
}

// form fills in a form, which happened when it was filled in.
func (d *decoder) form(event *signals.Event, said *item, submitted time.Time) {
	event.At = submitted
	if event.At.IsZero() {
		event.At = d.sent
	}

	event.Form = &signals.Form{
		Kind: signals.FormPrechat, Text: string(said.MessageContent), Subject: string(said.Subject),
		Property: string(said.PropertyName), AgentNickname: string(said.AssignedAgentNickname), SubmittedAt: submitted,
	}

	if d.name == eventOfflineForm {
		event.Form.Kind = signals.FormOffline
	}
}

// unknown keeps what has no meaning here yet, with the conversation that it
// names, if any.
func (d *decoder) unknown(raw json.RawMessage) signals.Event {
	event := signals.Event{
		Type: signals.Unknown, At: d.sent, ID: signals.DerivedID(d.name, strconv.FormatInt(d.sent.Unix(), 10), string(raw)),
	}

	var said item

	if dialect.IsObject(raw) && json.Unmarshal(raw, &said) == nil && said.VisitorName+said.SBS != "" {
		event.Conversation, event.Actor, event.Customer = said.conversation(), said.actor(), said.customer()
	}

	return event
}

// complete adds what every event of the webhook has in common.
func (d *decoder) complete(event *signals.Event, i int) {
	event.Source = d.src.Name
	event.ReceivedAt = d.received
	event.Raw = d.rawOf(i)
	event.Platform = &signals.Platform{Event: d.name, WebhookID: d.webhookID, SentAt: d.sent}

	if event.At.IsZero() {
		event.At = d.received
	}
}

// conversation tells which conversation an item belongs to, or "" if nothing
// tells it.
func (i *item) conversation() string {
	switch {
	case i.identified():
		return "sbs-" + hash(string(i.SBS))
	case i.VisitorName != "":
		return "v-" + hash(string(i.PropertyName), string(i.VisitorName))
	case i.CreatedAt.value != 0:
		return "v-" + hash(string(i.PropertyName), "", strconv.FormatInt(i.CreatedAt.value, 10))
	default:
		return ""
	}
}

// identified reports whether the visitor is a customer with an identifier.
func (i *item) identified() bool { return strings.TrimSpace(string(i.SBS)) != "" }

// hash hides parts in 32 hexadecimal digits.
func hash(parts ...string) string {
	sum := sha256.New()

	for _, part := range parts {
		sum.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}

	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// actor is the visitor, who alone is named by what every event of the page says.
func (i *item) actor() *signals.Actor {
	actor := &signals.Actor{Role: signals.RoleVisitor, Name: string(i.VisitorName), Nickname: string(i.VisitorNickname)}

	if i.identified() && len(i.SBS) <= signals.MaxIDBytes {
		actor.ID = string(i.SBS)
	}

	return actor
}

func (i *item) customer() *signals.Customer {
	if i.SBS == "" {
		return nil
	}

	return &signals.Customer{ExternalID: string(i.SBS)}
}
