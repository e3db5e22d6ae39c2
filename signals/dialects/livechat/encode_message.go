package livechat

import (
	"maps"

	"github.com/parleyhq/parley/signals"
)

// written writes the payloads about what somebody wrote or pressed. It reports
// whether the event has its block.
func (e *encoder) written(out object) bool {
	ev := e.event

	switch {
	case ev.Type == signals.MessageDeleted && ev.Message != nil:
		out["event_id"] = ev.Message.ID
	case ev.Type == signals.FormSubmitted && ev.Form != nil:
		out["event"] = e.form()
	case ev.Type == signals.TypingChanged && ev.Typing != nil:
		indicator := e.said(ev.Typing.Visibility)
		indicator["is_typing"] = ev.Typing.On
		out["typing_indicator"] = indicator
	case ev.Type == signals.MessagePreview && ev.Preview != nil:
		peek := e.said(ev.Preview.Visibility)
		peek["text"] = ev.Preview.Text
		out["sneak_peek"] = peek
	case ev.Type == signals.ButtonPressed && ev.Button != nil:
		e.button(out)
	case ev.Message != nil:
		out["event"] = e.message()
	default:
		return false
	}

	return true
}

// said begins a typing indicator or a sneak peek.
func (e *encoder) said(seen signals.Visibility) object {
	out := object{"timestamp": e.event.At.Unix()}
	out.text("author_id", actorID(e.event))
	out.text(e.visibilityKey(), string(seen))

	return out
}

// visibilityKey is recipients until 3.2.
func (e *encoder) visibilityKey() string {
	if e.version == versionVisibility || e.version == versionOrganization {
		return "visibility"
	}

	return "recipients"
}

func (e *encoder) button(out object) {
	b := e.event.Button
	pressed := object{"id": b.ID}
	put(pressed, "toggled", b.Toggled)
	pressed.text("button_type", b.Type)
	pressed.text("button_value", b.Value)
	pressed.raw("ecommerce", b.Ecommerce)

	out["postback"] = pressed
	out.text("user_id", b.UserID)
	out.text("event_id", b.MessageID)
}

func (e *encoder) message() object {
	m := e.event.Message
	out := object{"id": m.ID}

	if m.ID == "" {
		out["id"] = e.event.ID
	}

	out.text("custom_id", m.CustomID)
	out.text("author_id", actorID(e.event))
	out.text(e.visibilityKey(), string(m.Visibility))
	out.properties(m.Properties)

	if e.event.Type == signals.MessageUpdated {
		out.time("created_at", m.CreatedAt)
	} else {
		out.time("created_at", e.event.At)
	}

	if m.Postback != nil {
		out["postback"] = postbackObject(m.Postback)
	}

	maps.Copy(out, contentObject(m))

	return out
}

func postbackObject(p *signals.Postback) object {
	out := object{}
	out.text("id", p.ID)
	out.text("thread_id", p.ThreadID)
	out.text("event_id", p.EventID)
	out.text("type", p.Type)
	out.text("value", p.Value)

	return out
}

// contentObject writes what only one type of event has.
func contentObject(m *signals.Message) object {
	out := object{}

	switch m.Kind {
	case signals.KindFile:
		out["type"] = typeFile

		if m.File != nil {
			fileInto(out, m.File)
		}
	case signals.KindForm:
		out["type"] = typeForm
		out.kept(m.Rich)
	case signals.KindRich:
		out["type"] = typeRichMessage
		out.kept(m.Rich)
	case signals.KindCustom:
		out["type"] = typeCustom
		out.raw("content", m.Custom)
	case signals.KindSystem:
		out["type"], out["text"] = typeSystemMessage, m.Text
		out.kept(m.Custom)

		if _, ok := out["subtype"]; ok {
			out["type"] = typeSystem
			delete(out, "text")
		}
	case signals.KindText, "":
		out["type"], out["text"] = typeMessage, m.Text
	}

	return out
}

func fileInto(out object, f *signals.File) {
	out.text("name", f.Name)
	out.text("url", f.URL)
	out.text("thumbnail_url", f.ThumbnailURL)
	out.text("thumbnail2x_url", f.Thumbnail2xURL)
	out.text("content_type", f.ContentType)
	out.text("alternative_text", f.AlternativeText)
	out["size"] = f.Size

	if f.Width != 0 || f.Height != 0 {
		out["width"], out["height"] = f.Width, f.Height
	}
}

func (e *encoder) form() object {
	f := e.event.Form
	out := object{"id": e.event.ID, "type": typeFilledForm}
	out.text("custom_id", f.CustomID)
	out.text("author_id", actorID(e.event))
	out.text("form_id", f.ID)
	out.text("form_type", f.PlatformKind)
	out.text(e.visibilityKey(), string(f.Visibility))
	out.time("created_at", e.event.At)
	out.properties(f.Properties)

	if e.platform.Version == "" {
		out.text("form_type", f.Kind)
	}

	fields := make([]object, 0, len(f.Fields))

	for i := range f.Fields {
		fields = append(fields, e.formField(&f.Fields[i]))
	}

	out["fields"] = fields

	return out
}

// formField writes value until 3.2, then answer, for several choices answers.
func (e *encoder) formField(f *signals.FormField) object {
	out := object{}
	out.text("id", f.ID)
	out.text("type", f.Type)
	out.text("label", f.Label)

	answers := make([]object, 0, len(f.Answers))

	for _, a := range f.Answers {
		answer := object{}
		answer.text("id", a.ID)
		answer.text("label", a.Label)

		if a.GroupID != "" {
			answer["group_id"] = number(a.GroupID)
		}

		answers = append(answers, answer)
	}

	switch {
	case f.Type == "checkbox" || len(answers) > 1:
		out["answers"] = answers
	case len(answers) == 1:
		out["answer"] = answers[0]
	case e.visibilityKey() == "visibility":
		out["answer"] = f.Value
	default:
		out["value"] = f.Value
	}

	return out
}
