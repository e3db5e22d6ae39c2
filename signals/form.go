package signals

import (
	"cmp"
	"strings"
)

// Rendered returns a form as text: the platform's own, else one line for each
// answered field.
func (f *Form) Rendered() string {
	if f.Text != "" {
		return f.Text
	}

	lines := make([]string, 0, len(f.Fields))

	for i := range f.Fields {
		field := &f.Fields[i]
		value := field.Value

		if value == "" {
			labels := make([]string, 0, len(field.Answers))
			for _, answer := range field.Answers {
				labels = append(labels, answer.Label)
			}

			value = strings.Join(labels, ", ")
		}

		if value != "" {
			lines = append(lines, cmp.Or(field.Label, field.ID, field.Type)+": "+value)
		}
	}

	return strings.Join(lines, "\n")
}
