package dialect

import (
	"encoding/json"
	"fmt"

	"github.com/parleyhq/parley/signals"
)

// Members returns the members of the object that a body is, whatever its
// content type says: curl's default is that of a form. Errors wrap
// [ErrMalformed] or are a *[signals.FieldError].
func Members(body []byte) (map[string]json.RawMessage, error) {
	if err := CheckDepth(body); err != nil {
		return nil, err
	}

	var top map[string]json.RawMessage

	err := json.Unmarshal(body, &top)

	switch {
	case err == nil && top != nil:
		return top, nil
	case json.Valid(body):
		return nil, &signals.FieldError{Field: "body", Reason: "must be an object"}
	default:
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
}
