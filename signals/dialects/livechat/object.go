package livechat

import (
	"encoding/json"
	"time"

	"github.com/parleyhq/parley/signals"
)

// object is a JSON object being written. Its put methods leave out what is
// absent.
type object map[string]any

func (o object) text(key, value string) {
	if value != "" {
		o[key] = value
	}
}

func (o object) time(key string, at time.Time) {
	if !at.IsZero() {
		o[key] = at.UTC().Format(timeForm)
	}
}

func (o object) raw(key string, value json.RawMessage) {
	if len(value) > 0 {
		o[key] = value
	}
}

func (o object) rest(fields map[string]json.RawMessage) {
	for key, value := range fields {
		o[key] = value
	}
}

// put writes a pointed-to value.
func put[T any](o object, key string, value *T) {
	if value != nil {
		o[key] = *value
	}
}

// list writes a list that is there, even if it is empty.
func list[T any](o object, key string, values []T) {
	if values != nil {
		o[key] = values
	}
}

func (o object) properties(values signals.Values) {
	if values != nil {
		o["properties"] = values
	}
}

func (o object) groups(key string, ids []string) {
	if ids != nil {
		o[key] = object{"group_ids": numbers(ids)}
	}
}

// keep makes the text of an object without its absent members, or nothing.
func keep(o object) json.RawMessage {
	for key, value := range o {
		switch v := value.(type) {
		case string:
			if v == "" {
				delete(o, key)
			}
		case json.RawMessage:
			if len(v) == 0 {
				delete(o, key)
			}
		}
	}

	if len(o) == 0 {
		return nil
	}

	raw, err := json.Marshal(o)
	if err != nil { // strings and parts of valid JSON always marshal
		return nil
	}

	return raw
}

// unixTime reads seconds; none, or a time before any chat, is zero.
func unixTime(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}

	return plausible(time.Unix(seconds, 0).UTC())
}
