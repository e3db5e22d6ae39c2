package livechat

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// formField is a field of a filled form: older versions write value, later ones
// answer, a string or a choice, and answers.
type formField struct {
	ID      text            `json:"id"`
	Type    string          `json:"type"`
	Label   string          `json:"label"`
	Value   *text           `json:"value"`
	Answer  json.RawMessage `json:"answer"`
	Answers []formAnswer    `json:"answers"`
}

type formAnswer struct {
	ID      text   `json:"id"`
	Label   string `json:"label"`
	GroupID text   `json:"group_id"`
}

// filledForm translates a form that the visitor has filled in. Which form it
// is stands in form_type, in older versions in the property lc2.form_type.
func filledForm(path string, ce *chatEvent) (*signals.Form, error) {
	kind := ce.FormType
	if kind == "" {
		kind = propertyText(ce.Properties["lc2"]["form_type"])
	}

	form := &signals.Form{
		ID: ce.FormID, Kind: formKind(kind), CustomID: ce.CustomID, PlatformKind: ce.FormType,
		Visibility: visibility(ce.Visibility, ce.Recipients), Properties: ce.Properties,
	}

	if dialect.IsNull(ce.Fields) {
		return form, nil
	}

	var fields []json.RawMessage

	if err := dialect.Unmarshal(ce.Fields, path+".fields", &fields); err != nil {
		return nil, err
	}

	for i, raw := range fields {
		field, err := oneField(path+".fields["+strconv.Itoa(i)+"]", raw)
		if err != nil {
			return nil, err
		}

		form.Fields = append(form.Fields, field)
	}

	form.Text = formText(form.Fields)

	return form, nil
}

func oneField(path string, raw json.RawMessage) (signals.FormField, error) {
	var in formField

	if err := dialect.Unmarshal(raw, path, &in); err != nil {
		return signals.FormField{}, err
	}

	field := signals.FormField{ID: string(in.ID), Type: in.Type, Label: in.Label}

	if in.Value != nil {
		field.Value = string(*in.Value)
	}

	switch {
	case dialect.IsObject(in.Answer):
		var chosen formAnswer

		if err := dialect.Unmarshal(in.Answer, path+".answer", &chosen); err != nil {
			return signals.FormField{}, err
		}

		in.Answers = []formAnswer{chosen}
	case !dialect.IsNull(in.Answer):
		var said text

		if err := dialect.Unmarshal(in.Answer, path+".answer", &said); err != nil {
			return signals.FormField{}, err
		}

		field.Value = string(said)
	}

	for _, answer := range in.Answers {
		field.Answers = append(field.Answers, signals.FormAnswer{
			ID: string(answer.ID), Label: answer.Label, GroupID: string(answer.GroupID),
		})
	}

	return field, nil
}

// formKind reads the platform's word; a form that says nothing is taken for
// the one before the chat.
func formKind(said string) string {
	switch said {
	case "postchat":
		return signals.FormPostchat
	case "offline":
		return signals.FormOffline
	case "ask_for_email", "ask":
		return signals.FormAsk
	case "ticket":
		return signals.FormTicket
	default:
		return signals.FormPrechat
	}
}

// formText renders the answered fields, one to a line.
func formText(fields []signals.FormField) string {
	lines := make([]string, 0, len(fields))

	for i := range fields {
		said := fields[i].Value

		for _, answer := range fields[i].Answers {
			if said != "" {
				said += ", "
			}

			said += answer.Label
		}

		if said != "" {
			lines = append(lines, strings.TrimRight(fields[i].Label, ": ")+": "+said)
		}
	}

	return strings.Join(lines, "\n")
}

// fieldLabels renders the questions of a form that is asked.
func fieldLabels(raw json.RawMessage) string {
	var fields []struct {
		Label string `json:"label"`
	}

	if json.Unmarshal(raw, &fields) != nil {
		return ""
	}

	lines := make([]string, 0, len(fields))

	for _, field := range fields {
		if field.Label != "" {
			lines = append(lines, field.Label)
		}
	}

	return strings.Join(lines, "\n")
}

// richText renders the titles of a rich message's elements.
func richText(raw json.RawMessage) string {
	var elements []struct {
		Title    string `json:"title"`
		Subtitle string `json:"subtitle"`
	}

	if json.Unmarshal(raw, &elements) != nil {
		return ""
	}

	lines := make([]string, 0, len(elements))

	for _, element := range elements {
		for _, line := range [...]string{element.Title, element.Subtitle} {
			if line != "" {
				lines = append(lines, line)
			}
		}
	}

	return strings.Join(lines, "\n")
}
