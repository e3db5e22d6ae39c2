package signals

import "errors"

// ErrBadName says that an id is not of the form that its builder makes.
var ErrBadName = errors.New("bad name")

// FieldError says which field of an event, a command or a payload is at fault.
// The HTTP API shows both parts.
type FieldError struct {
	// Field is a JSON path, such as message.text or events[2].at.
	Field  string
	Reason string
}

// Missing says that a field is not there.
func Missing(field string) *FieldError { return &FieldError{Field: field, Reason: "is missing"} }

// Error names the field first, since that is what its reader must change.
func (e *FieldError) Error() string { return e.Field + ": " + e.Reason }
