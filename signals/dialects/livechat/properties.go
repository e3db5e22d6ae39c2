package livechat

import (
	"encoding/json"
	"strings"

	"github.com/parleyhq/parley/signals"
)

// Scopes of properties and access.
const (
	scopeChat   = "chat"
	scopeThread = "thread"
	scopeEvent  = "event"
)

func (d *decoder) propertiesUpdated() (signals.Event, error) {
	var payload struct {
		EventID    string         `json:"event_id"`
		Properties signals.Values `json:"properties"`
	}

	event, _, err := d.inThread()
	if err != nil {
		return signals.Event{}, err
	}

	if err := d.read(&payload); err != nil {
		return signals.Event{}, err
	}

	values, isWrapped := unwrapAll(payload.Properties)
	event.Type = signals.PropertiesUpdated
	event.Properties = &signals.Properties{
		Scope: d.scope(), EventID: payload.EventID, Set: values, Wrapped: isWrapped,
	}

	return event, nil
}

func (d *decoder) propertiesDeleted() (signals.Event, error) {
	var payload struct {
		EventID    string              `json:"event_id"`
		Properties map[string][]string `json:"properties"`
	}

	event, _, err := d.inThread()
	if err != nil {
		return signals.Event{}, err
	}

	if err := d.read(&payload); err != nil {
		return signals.Event{}, err
	}

	event.Type = signals.PropertiesDeleted
	event.Properties = &signals.Properties{
		Scope: d.scope(), EventID: payload.EventID, Deleted: payload.Properties,
	}

	return event, nil
}

// scope is in the name: chat_thread_properties_updated is about the thread.
func (d *decoder) scope() string {
	switch {
	case strings.HasPrefix(d.action, "event_"):
		return scopeEvent
	case strings.Contains(d.action, "thread_"):
		return scopeThread
	default:
		return scopeChat
	}
}

// unwrapAll takes {"value": v} to v if every value has that form, which those
// of 3.0 have and a plain property never has.
func unwrapAll(in signals.Values) (signals.Values, bool) {
	out := make(signals.Values, len(in))
	count := 0

	for namespace, values := range in {
		out[namespace] = make(map[string]json.RawMessage, len(values))

		for name, value := range values {
			inner, ok := wrapped(value)
			if !ok {
				return in, false
			}

			out[namespace][name] = inner
			count++
		}
	}

	return out, count > 0
}

func wrapAll(in signals.Values) map[string]map[string]any {
	out := make(map[string]map[string]any, len(in))

	for namespace, values := range in {
		out[namespace] = make(map[string]any, len(values))

		for name, value := range values {
			out[namespace][name] = map[string]any{"value": value}
		}
	}

	return out
}

func (d *decoder) tagged() (signals.Event, error) {
	var payload struct {
		Tag string `json:"tag"`
	}

	event, _, err := d.inThread()
	if err != nil {
		return signals.Event{}, err
	}

	if err := d.read(&payload); err != nil {
		return signals.Event{}, err
	}

	if err := d.need("tag", payload.Tag); err != nil {
		return signals.Event{}, err
	}

	event.Type = signals.TagAdded
	if strings.HasSuffix(d.action, "_untagged") {
		event.Type = signals.TagRemoved
	}

	event.Tag = &signals.Tag{Name: payload.Tag}

	return event, nil
}

// access came as access_* with a resource, later as chat_access_* about chats
// only. A thread's id names no conversation.
func (d *decoder) access() (signals.Event, error) {
	var payload struct {
		Resource string `json:"resource"`
		ID       string `json:"id"`
		Access   groups `json:"access"`
	}

	if err := d.read(&payload); err != nil {
		return signals.Event{}, err
	}

	if err := d.need("id", payload.ID); err != nil {
		return signals.Event{}, err
	}

	event := signals.Event{Type: signals.AccessChanged, Conversation: payload.ID, Access: &signals.Access{
		Resource: scopeChat, ResourceID: payload.ID, GroupIDs: texts(payload.Access.IDs),
		Op: d.action[strings.LastIndexByte(d.action, '_')+1:],
	}}

	if payload.Resource == scopeThread {
		event.Conversation, event.Thread = "", payload.ID
		event.Access.Resource = scopeThread
	}

	return event, nil
}
