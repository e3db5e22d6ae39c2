package acquire

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// Levels of what has no canonical place, in Platform.ChatProperties.
const (
	levelEnvelope = "envelope"
	levelData     = "data"
	levelMessage  = "message"
	levelUser     = "user"
	levelContact  = "contact"
	// levelForm tells where a message stood, unless it stood where the encoder
	// puts it by itself.
	levelForm = "message_form"
	// levelPlace tells that the fields of version 1 stood where those of the same
	// event do not stand in its documentation.
	levelPlace = "fields_place"
)

// Prefixes that keep the ids of contacts and visitors apart from those of
// agents, and version 1's own for agents.
const (
	contactPrefix = "contact-"
	visitorPrefix = "visitor-"
	agentPrefix   = "agent-"
)

// Members under which the encoder writes what may stand elsewhere, too.
const (
	keyCase   = "caseId"
	keyUser   = "userId"
	keyID     = "id"
	keyText   = "message"
	keyDate   = "dateCreated"
	keyStatus = "status"
)

// maxNameBytes bounds a name that every event or message repeats.
const maxNameBytes = 256

// decoder holds one webhook while its events are made.
type decoder struct {
	envelope

	src      dialect.Source
	received time.Time
}

// Decode returns the events of one webhook. An event whose name or form is not
// known becomes one of type unknown with its raw text.
func (Dialect) Decode(req dialect.Request, src dialect.Source) ([]signals.Event, error) {
	if format := foreignFormat(req); format != "" {
		event, err := foreign(req, format, src)
		if err != nil {
			return nil, err
		}

		return []signals.Event{event}, nil
	}

	env, err := open(req)
	if err != nil {
		return nil, err
	}

	d := &decoder{envelope: env, src: src, received: req.ReceivedAt}

	events, err := d.events()
	if err != nil {
		return nil, err
	}

	for i := range events {
		d.complete(&events[i])

		if err := events[i].Validate(); err != nil {
			return nil, err
		}
	}

	return events, nil
}

func (d *decoder) events() ([]signals.Event, error) {
	switch {
	case isLegacy(d.name):
		return d.legacy()
	case d.name == eventStatus:
		return d.status()
	case d.data == nil:
		return d.unknown(), nil
	case d.name == eventMessage:
		return d.messages(), nil
	case d.name == eventInvite, d.name == eventJoined:
		return d.user(), nil
	case d.name == configured(d.src.Options.Acquire.CaseNew, defaultCaseNew):
		return d.opened(), nil
	case d.name == configured(d.src.Options.Acquire.AgentStatus, defaultAgentStatus):
		return d.agentStatus(), nil
	default:
		return d.unknown(), nil
	}
}

func configured(name, otherwise string) string {
	if name == "" {
		return otherwise
	}

	return name
}

// complete adds what every event of the webhook has in common.
func (d *decoder) complete(event *signals.Event) {
	if event.Platform == nil {
		event.Platform = &signals.Platform{}
	}

	event.Platform.Event, event.Platform.Version = signals.Cut(d.name, maxNameBytes), versionCurrent
	if isLegacy(d.name) {
		event.Platform.Version = versionLegacy
	}

	event.Source = d.src.Name
	event.ReceivedAt = d.received

	if event.At.IsZero() {
		event.At = d.received
	}

	if event.Raw == nil {
		event.Raw = d.raw
	}

	if event.ID == "" {
		event.ID = signals.DerivedID(d.name, string(event.Type), string(d.raw))
	}
}

// date returns a date that an event may carry: not older than live chat, and
// not far ahead. Others are zero, and the text stays where it is.
func (d *decoder) date(text string) time.Time {
	at := readDate(text, d.src.Zone)
	if at.Year() < 2000 || at.After(d.received.AddDate(1, 0, 0)) {
		return time.Time{}
	}

	return at
}

// keep puts what is left of an object where the encoder finds it.
func keep(event *signals.Event, level string, rest object) {
	if len(rest) == 0 {
		return
	}

	if event.Platform == nil {
		event.Platform = &signals.Platform{}
	}

	if event.Platform.ChatProperties == nil {
		event.Platform.ChatProperties = make(map[string]json.RawMessage)
	}

	event.Platform.ChatProperties[level] = rest.raw()
}

// unknown keeps a webhook that has no meaning here yet, with the conversation
// it names, if any.
func (d *decoder) unknown() []signals.Event {
	conversation := caseOf(d.data)

	if isLegacy(d.name) {
		conversation = legacyID(d.flat())
	}

	if len(conversation) > signals.MaxConversationBytes {
		conversation = ""
	}

	return []signals.Event{{Type: signals.Unknown, Conversation: conversation}}
}

// caseOf looks for the case where the documentation leaves open how data names
// it.
func caseOf(data object) string {
	if id := data.peek("caseId", "case_id"); id != "" {
		return id
	}

	if id := readObject(data["case"]).peek("caseId", "id"); id != "" {
		return id
	}

	return readObject(data["message"]).peek("caseId", "case_id")
}

// openedOf is caseOf for "Case new", whose data may be the case itself.
func openedOf(data object) string {
	if id := caseOf(data); id != "" {
		return id
	}

	return data.peek("id")
}

// status reads case:status: the change itself, what it says about the contact,
// and the transcript so far.
func (d *decoder) status() ([]signals.Event, error) {
	switch {
	case d.data == nil && d.hasData:
		return nil, &signals.FieldError{Field: keyData, Reason: "must be an object"}
	case d.data == nil:
		return nil, signals.Missing(keyData)
	}

	conversation, word := d.data.take("caseId"), strings.ToLower(d.data.peek("status"))

	switch {
	case conversation == "":
		return nil, signals.Missing("data.caseId")
	case word == "":
		return nil, signals.Missing("data.status")
	}

	change := signals.Event{Type: signals.ConversationStatusChanged, Conversation: conversation}

	if word == statusClosed {
		change.Type, change.Closing = signals.ConversationClosed, &signals.Closing{ByRole: signals.RoleUnknown}
		d.data.takeWord("status", statusClosed)
	} else {
		change.Status = &signals.StatusChange{To: statusTo(word), PlatformStatus: d.data.take("status")}
	}

	customer, author := d.contact(conversation, d.data["contact"])
	transcript := d.transcript(conversation, author)

	for i := range transcript {
		if transcript[i].At.After(change.At) {
			change.At = transcript[i].At
		}
	}

	keep(&change, levelData, d.data)
	keep(&change, levelEnvelope, d.top)

	return slices.Concat(customer, transcript, []signals.Event{change}), nil
}

// statusTo is Parley's word for a status; empty for one that is not documented.
func statusTo(word string) string {
	switch word {
	case statusPending:
		return "open"
	case statusQueue:
		return "queued"
	case statusActive:
		return "active"
	default:
		return ""
	}
}

// opened reads "Case new", whose data is taken to be that of case:status.
func (d *decoder) opened() []signals.Event {
	conversation := d.data.takeSole(keyCase, openedOf)
	if conversation == "" {
		return d.unknown()
	}

	event := signals.Event{
		Type: signals.ConversationOpened, Conversation: conversation,
		At: d.date(d.data.peek("dateCreated")), Details: &signals.Details{Channel: d.data.take("channel")},
	}

	_, author := d.contact(conversation, d.data["contact"])

	if customer, rest := readContact(d.data["contact"]); customer != nil {
		event.Details.Participants = []signals.Participant{{
			ID: customer.ID, Role: signals.RoleVisitor, Name: customer.Name, Email: customer.Email, Customer: customer,
		}}

		delete(d.data, "contact")
		keep(&event, levelContact, rest)
	}

	if fields := readObject(d.data["fields"]); len(fields) > 0 {
		event.Details.Properties = signals.Values{"fields": fields}

		delete(d.data, "fields")
	}

	transcript := d.transcript(conversation, author)

	for i := range transcript {
		if event.At.IsZero() || transcript[i].At.Before(event.At) {
			event.At = transcript[i].At
		}
	}

	keep(&event, levelData, d.data)
	keep(&event, levelEnvelope, d.top)

	return append([]signals.Event{event}, transcript...)
}

// author is the contact as the messages name it.
type author struct {
	id, name, email string
}

// contact makes an event of what a webhook says about the visitor.
func (d *decoder) contact(conversation string, raw json.RawMessage) ([]signals.Event, author) {
	customer, rest := readContact(raw)
	if customer == nil {
		return nil, author{}
	}

	event := signals.Event{
		ID:   signals.DerivedID(d.name, "contact", conversation, string(raw)),
		Type: signals.CustomerUpdated, Conversation: conversation, Customer: customer, Raw: raw,
	}
	keep(&event, levelContact, rest)

	return []signals.Event{event}, author{
		id: customer.ID, name: signals.Cut(customer.Name, maxNameBytes), email: signals.Cut(customer.Email, maxNameBytes),
	}
}

// takeField takes a field unless the contact itself says something under its
// name, beside which the encoder writes none.
func takeField(fields, contact object, name string) string {
	if contact.peek(name) != "" {
		return fields.peek(name)
	}

	return fields.take(name)
}

// readContact returns nothing if raw says nothing, else the customer and what
// has no place in it.
func readContact(raw json.RawMessage) (*signals.Customer, object) {
	rest := readObject(raw)
	if len(rest) == 0 {
		return nil, nil
	}

	customer := &signals.Customer{}

	if id := rest.take("id"); id != "" {
		customer.ID = contactPrefix + id
	}

	fields := readObject(rest["fields"])
	if len(fields) > 0 {
		delete(rest, "fields")

		customer.Name, customer.Email, customer.Phone = takeField(fields, rest, "name"),
			takeField(fields, rest, "email"), takeField(fields, rest, "phone")
	} else {
		customer.Name, customer.Email, customer.Phone = rest.peek("name"), rest.peek("email"), rest.peek("phone")
	}

	if len(fields) > 0 {
		customer.Fields = fields
	}

	return customer, rest
}
