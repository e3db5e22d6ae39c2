package livechat

import (
	"encoding/json"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// Types of an Event object.
const (
	typeMessage       = "message"
	typeFile          = "file"
	typeForm          = "form"
	typeFilledForm    = "filled_form"
	typeRichMessage   = "rich_message"
	typeCustom        = "custom"
	typeSystemMessage = "system_message"
	typeSystem        = "system"
)

// chatEvent is an Event object of any type.
type chatEvent struct {
	ID         string         `json:"id"`
	CustomID   string         `json:"custom_id"`
	Type       string         `json:"type"`
	AuthorID   string         `json:"author_id"`
	CreatedAt  string         `json:"created_at"`
	Visibility string         `json:"visibility"`
	Recipients string         `json:"recipients"` // until 3.2
	Properties signals.Values `json:"properties"`
	Deleted    bool           `json:"deleted"`

	Text     string    `json:"text"`
	Postback *postback `json:"postback"`

	Name            string `json:"name"`
	URL             string `json:"url"`
	ThumbnailURL    string `json:"thumbnail_url"`
	Thumbnail2xURL  string `json:"thumbnail2x_url"`
	ContentType     string `json:"content_type"`
	Size            int64  `json:"size"`
	Width           int    `json:"width"`
	Height          int    `json:"height"`
	AlternativeText string `json:"alternative_text"`

	FormID     string          `json:"form_id"`
	FormType   string          `json:"form_type"`
	Fields     json.RawMessage `json:"fields"`
	TemplateID string          `json:"template_id"`
	Elements   json.RawMessage `json:"elements"`
	Content    json.RawMessage `json:"content"`

	SystemMessageType string          `json:"system_message_type"`
	TextVars          json.RawMessage `json:"text_vars"`
	Source            string          `json:"source"`
	Subtype           string          `json:"subtype"`
	Version           json.RawMessage `json:"version"`
	Details           json.RawMessage `json:"details"`
}

type postback struct {
	ID       string `json:"id"`
	ThreadID string `json:"thread_id"`
	EventID  string `json:"event_id"`
	Type     string `json:"type"`
	Value    string `json:"value"`
}

func (d *decoder) incomingEvent() (signals.Event, error) {
	place, raw, err := d.carried()
	if err != nil {
		return signals.Event{}, err
	}

	event, err := d.message(d.at("event"), raw, nil)
	if err != nil {
		return signals.Event{}, err
	}

	event.Conversation, event.Thread = place.Conversation, place.Thread

	return event, nil
}

// eventUpdated carries the message as it is now. The edit's own id is derived:
// under the message's it would pass for a repeat of the message.
func (d *decoder) eventUpdated() (signals.Event, error) {
	event, raw, err := d.carried()
	if err != nil {
		return signals.Event{}, err
	}

	ce, err := d.chatEvent(d.at("event"), raw)
	if err != nil {
		return signals.Event{}, err
	}

	created, err := parseTime(d.at("event.created_at"), ce.CreatedAt, d.src.Zone)
	if err != nil {
		return signals.Event{}, err
	}

	event.ID = signals.DerivedID(d.action, ce.ID, string(d.raw))
	event.Type = signals.MessageUpdated
	event.Actor = author(&ce, nil)
	event.Message = content(&ce)
	event.Message.CreatedAt = created

	return event, nil
}

func (d *decoder) eventDeleted() (signals.Event, error) {
	var payload struct {
		EventID string `json:"event_id"`
	}

	event, _, err := d.inThread()
	if err != nil {
		return signals.Event{}, err
	}

	if err := d.read(&payload); err != nil {
		return signals.Event{}, err
	}

	if err := d.need("event_id", payload.EventID); err != nil {
		return signals.Event{}, err
	}

	event.ID = signals.DerivedID(d.action, payload.EventID, string(d.raw))
	event.Type = signals.MessageDeleted
	event.Message = &signals.Message{ID: payload.EventID}

	return event, nil
}

// carried reads a payload that carries an Event object.
func (d *decoder) carried() (signals.Event, json.RawMessage, error) {
	var payload struct {
		Event json.RawMessage `json:"event"`
	}

	event, _, err := d.inThread()
	if err != nil {
		return signals.Event{}, nil, err
	}

	if err := d.read(&payload); err != nil {
		return signals.Event{}, nil, err
	}

	if dialect.IsNull(payload.Event) {
		return signals.Event{}, nil, d.need("event", "")
	}

	return event, payload.Event, nil
}

func (d *decoder) chatEvent(path string, raw json.RawMessage) (chatEvent, error) {
	var ce chatEvent

	if err := dialect.Unmarshal(raw, path, &ce); err != nil {
		return ce, err
	}

	switch {
	case ce.ID == "":
		return ce, signals.Missing(path + ".id")
	case len(ce.ID) > signals.MaxIDBytes:
		return ce, &signals.FieldError{Field: path + ".id", Reason: "is too long"}
	case ce.Type == "":
		return ce, signals.Missing(path + ".type")
	}

	if ce.Visibility != "" && d.platform.Version == versionLicense {
		d.platform.Version = versionVisibility
	}

	return ce, nil
}

// message translates one Event object that is new. known are the users of the
// chat, where the payload has them: they prove the author's role.
func (d *decoder) message(path string, raw json.RawMessage, known []signals.Participant) (signals.Event, error) {
	ce, err := d.chatEvent(path, raw)
	if err != nil {
		return signals.Event{}, err
	}

	at, err := parseTime(path+".created_at", ce.CreatedAt, d.src.Zone)
	if err != nil {
		return signals.Event{}, err
	}

	event := signals.Event{ID: ce.ID, Type: signals.MessageReceived, At: at, Actor: author(&ce, known)}

	switch {
	case ce.Deleted:
		event.ID = signals.DerivedID(typeDeleted, ce.ID)
		event.Type = signals.MessageDeleted
		event.Message = &signals.Message{ID: ce.ID}
	case ce.Type == typeFilledForm:
		event.Type = signals.FormSubmitted
		event.Form, err = filledForm(path, &ce)
	case knownType(ce.Type):
		event.Message = content(&ce)
	default:
		event.Type = signals.Unknown
	}

	return event, err
}

// typeDeleted marks the id of what a thread shows as deleted.
const typeDeleted = "deleted"

func knownType(t string) bool {
	switch t {
	case typeMessage, typeFile, typeForm, typeFilledForm, typeRichMessage, typeCustom, typeSystemMessage, typeSystem:
		return true
	default:
		return false
	}
}

// author returns who wrote an event. Its type proves the system's.
func author(ce *chatEvent, known []signals.Participant) *signals.Actor {
	seen := visibility(ce.Visibility, ce.Recipients)

	if ce.Type == typeSystemMessage || ce.Type == typeSystem {
		return &signals.Actor{ID: ce.AuthorID, Role: signals.RoleSystem, Visibility: seen}
	}

	if ce.AuthorID == "" {
		return nil
	}

	for i := range known {
		if known[i].ID == ce.AuthorID {
			return &signals.Actor{
				ID: known[i].ID, Role: known[i].Role, Name: known[i].Name, Email: known[i].Email, Visibility: known[i].Visibility,
			}
		}
	}

	return whoever(ce.AuthorID)
}

// content translates what an event shows. Forms, rich messages and the
// system's own data stay as the platform wrote them.
func content(ce *chatEvent) *signals.Message {
	m := &signals.Message{
		ID: ce.ID, CustomID: ce.CustomID, Visibility: visibility(ce.Visibility, ce.Recipients),
		Automatic: isTrue(ce.Properties["lc2"]["welcome_message"]), Properties: ce.Properties,
	}

	switch ce.Type {
	case typeFile:
		m.Kind = signals.KindFile
		m.File = &signals.File{
			Name: ce.Name, URL: ce.URL, ContentType: ce.ContentType, Size: ce.Size, Width: ce.Width, Height: ce.Height,
			ThumbnailURL: ce.ThumbnailURL, Thumbnail2xURL: ce.Thumbnail2xURL, AlternativeText: ce.AlternativeText,
		}
	case typeForm, typeFilledForm:
		m.Kind, m.Text = signals.KindForm, fieldLabels(ce.Fields)
		m.Rich = keep(object{"type": ce.Type, "form_id": ce.FormID, "form_type": ce.FormType, "fields": ce.Fields})
	case typeRichMessage:
		m.Kind, m.Text = signals.KindRich, richText(ce.Elements)
		m.Rich = keep(object{"template_id": ce.TemplateID, "elements": ce.Elements})
	case typeCustom:
		m.Kind, m.Custom = signals.KindCustom, ce.Content
	case typeSystemMessage:
		m.Kind, m.Text = signals.KindSystem, ce.Text
		m.Custom = keep(object{"system_message_type": ce.SystemMessageType, "text_vars": ce.TextVars})
	case typeSystem:
		m.Kind, m.Text = signals.KindSystem, ce.Subtype
		m.Custom = keep(object{"source": ce.Source, "subtype": ce.Subtype, "version": ce.Version, "details": ce.Details})
	default:
		m.Kind, m.Text = signals.KindText, ce.Text
	}

	if ce.Postback != nil {
		pressed := signals.Postback(*ce.Postback)
		m.Postback = &pressed
	}

	return m
}

// typing is of the 3.0 beta only.
func (d *decoder) typing() (signals.Event, error) {
	var payload struct {
		Indicator *struct {
			AuthorID   string `json:"author_id"`
			Visibility string `json:"visibility"`
			Recipients string `json:"recipients"`
			Timestamp  int64  `json:"timestamp"`
			IsTyping   *bool  `json:"is_typing"`
		} `json:"typing_indicator"`
	}

	event, _, err := d.inThread()
	if err != nil {
		return signals.Event{}, err
	}

	if err := d.read(&payload); err != nil {
		return signals.Event{}, err
	}

	if payload.Indicator == nil || payload.Indicator.IsTyping == nil {
		return signals.Event{}, d.need("typing_indicator.is_typing", "")
	}

	in := payload.Indicator
	event.Type, event.At = signals.TypingChanged, unixTime(in.Timestamp)
	event.Actor = whoever(in.AuthorID)
	event.Typing = &signals.Typing{On: *in.IsTyping, Visibility: visibility(in.Visibility, in.Recipients)}

	return event, nil
}

// sneakPeek is of the 3.0 beta only.
func (d *decoder) sneakPeek() (signals.Event, error) {
	var payload struct {
		Peek *struct {
			AuthorID   string  `json:"author_id"`
			Visibility string  `json:"visibility"`
			Recipients string  `json:"recipients"`
			Timestamp  int64   `json:"timestamp"`
			Text       *string `json:"text"`
		} `json:"sneak_peek"`
	}

	event, _, err := d.inThread()
	if err != nil {
		return signals.Event{}, err
	}

	if err := d.read(&payload); err != nil {
		return signals.Event{}, err
	}

	if payload.Peek == nil || payload.Peek.Text == nil {
		return signals.Event{}, d.need("sneak_peek.text", "")
	}

	in := payload.Peek
	event.Type, event.At = signals.MessagePreview, unixTime(in.Timestamp)
	event.Actor = whoever(in.AuthorID)
	event.Preview = &signals.Preview{Text: *in.Text, Visibility: visibility(in.Visibility, in.Recipients)}

	return event, nil
}

// postback is a press on a rich message's button.
func (d *decoder) postback() (signals.Event, error) {
	var payload struct {
		UserID   string `json:"user_id"`
		EventID  string `json:"event_id"`
		Postback *struct {
			ID          string          `json:"id"`
			Toggled     *bool           `json:"toggled"`
			ButtonType  string          `json:"button_type"`
			ButtonValue string          `json:"button_value"`
			Ecommerce   json.RawMessage `json:"ecommerce"`
		} `json:"postback"`
	}

	event, _, err := d.inThread()
	if err != nil {
		return signals.Event{}, err
	}

	if err := d.read(&payload); err != nil {
		return signals.Event{}, err
	}

	if payload.Postback == nil || payload.Postback.ID == "" {
		return signals.Event{}, d.need("postback.id", "")
	}

	in := payload.Postback
	event.Type = signals.ButtonPressed
	event.Actor = whoever(payload.UserID)
	event.Button = &signals.Button{
		MessageID: payload.EventID, ID: in.ID, UserID: payload.UserID, Value: in.ButtonValue,
		Toggled: in.Toggled, Type: in.ButtonType, Ecommerce: in.Ecommerce,
	}

	return event, nil
}
