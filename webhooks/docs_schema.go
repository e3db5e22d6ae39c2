package webhooks

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// schema is what the page shows of a JSON schema.
type schema struct {
	Ref         string            `json:"$ref"`
	Type        string            `json:"type"`
	Format      string            `json:"format"`
	Description string            `json:"description"`
	Enum        []string          `json:"enum"`
	MaxLength   int               `json:"maxLength"` //nolint:tagliatelle // JSON Schema wants it so
	Items       *schema           `json:"items"`
	OneOf       []schema          `json:"oneOf"` //nolint:tagliatelle // JSON Schema wants it so
	Properties  map[string]schema `json:"properties"`
	Required    []string          `json:"required"`
}

// requestBody is what an operation takes.
type requestBody struct {
	Required bool `json:"required"`
	Content  map[string]struct {
		Schema schema `json:"schema"`
	} `json:"content"`
}

// shown is a type as the page names it: one of the forms, or a word.
type shown struct {
	Many bool
	Form string
	Word string
}

// field is one property of an object.
type field struct {
	Name     string
	Schema   schema
	Required bool
}

// Shown names the schema's type.
func (s schema) Shown() shown {
	_, form, _ := strings.Cut(s.Ref, "#/components/schemas/")

	switch {
	case form != "":
		return shown{Form: form}
	case s.Type == "array" && s.Items != nil:
		inner := s.Items.Shown()
		inner.Many = true

		return inner
	case len(s.OneOf) > 0: // the other one is null
		return s.OneOf[0].Shown()
	default:
		return shown{Word: cmp.Or(s.Format, s.Type, "JSON")}
	}
}

// Fields lists an object's properties, those that it needs first.
func (s schema) Fields() []field {
	out := make([]field, 0, len(s.Properties))

	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		out = append(out, field{Name: name, Schema: s.Properties[name], Required: slices.Contains(s.Required, name)})
	}

	slices.SortStableFunc(out, func(a, b field) int {
		switch {
		case a.Required == b.Required:
			return 0
		case a.Required:
			return -1
		default:
			return 1
		}
	})

	return out
}

// schema is the body's, as JSON.
func (b *requestBody) schema() schema { return b.Content["application/json"].Schema }

// Forms names what the body may be.
func (b *requestBody) Forms() []shown {
	body := b.schema()
	if len(body.OneOf) == 0 {
		return []shown{body.Shown()}
	}

	out := make([]shown, 0, len(body.OneOf))
	for _, one := range body.OneOf {
		out = append(out, one.Shown())
	}

	return out
}

// Fields lists what the body holds.
func (b *requestBody) Fields() []field { return b.schema().Fields() }
