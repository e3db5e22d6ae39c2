package webhooks_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/webhooks"
	"github.com/parleyhq/parley/webhooks/inbox"
)

// The forms that the API promises, for the schemas.
type (
	accepted struct {
		Accepted      int      `json:"accepted"`
		Duplicates    int      `json:"duplicates"`
		Conversations []string `json:"conversations"`
	}
	conversation struct {
		signals.View

		Participants []signals.ViewParticipant `json:"participants"`
		Timeline     []signals.TimelineEntry   `json:"timeline"`
	}
	wholeTicket struct {
		signals.Ticket

		LateEvents []signals.Event `json:"late_events"`
	}
	listedConversation struct {
		signals.View

		Partial      bool `json:"partial,omitempty"`
		Participants bool `json:"-"`
	}
	listedDesk struct {
		signals.DeskView

		Staff     int  `json:"staff"`
		Accepting int  `json:"accepting"`
		Partial   bool `json:"partial,omitempty"`
	}
	source struct {
		webhooks.SourceCounts

		Name    string `json:"name"`
		Dialect string `json:"dialect"`
		URL     string `json:"url"`
		Signed  bool   `json:"signed"`
		Title   string `json:"title"`
		Policy  string `json:"policy"`
		Desk    string `json:"desk"`
	}
	health struct {
		Status   string            `json:"status"`
		Version  string            `json:"version,omitempty"`
		Checks   map[string]string `json:"checks,omitempty"`
		Webhooks string            `json:"webhooks,omitempty"`
	}
	inboxState struct {
		Depth              int64         `json:"depth"`
		Bytes              int64         `json:"bytes"`
		Parked             int64         `json:"parked"`
		Dead               int64         `json:"dead"`
		OldestAgeSeconds   int64         `json:"oldest_age_seconds"`
		AcceptedPerSecond  float64       `json:"accepted_per_second"`
		ForwardedPerSecond float64       `json:"forwarded_per_second"`
		Behind             bool          `json:"behind"`
		LastError          string        `json:"last_error"`
		CommitBatch        BatchSizes    `json:"commit_batch"`
		SignalBatch        BatchSizes    `json:"signal_batch"`
		Sources            []SourceDepth `json:"sources"`
	}
	BatchSizes struct {
		P50 int `json:"p50"`
		P95 int `json:"p95"`
		Max int `json:"max"`
	}
	SourceDepth struct {
		Source string  `json:"source"`
		Depth  int64   `json:"depth"`
		Bytes  int64   `json:"bytes"`
		Share  float64 `json:"share"`
	}
	deadLetter struct {
		ID           int64         `json:"id"`
		Source       string        `json:"source"`
		Conversation string        `json:"conversation"`
		EventID      string        `json:"event_id"`
		Type         signals.Type  `json:"type"`
		Reason       string        `json:"reason"`
		At           time.Time     `json:"at"`
		DiedAt       time.Time     `json:"died_at"`
		Event        signals.Event `json:"event"`
	}
	retried struct {
		Seq int64 `json:"seq"`
	}
	archivedEvent struct {
		signals.Event

		State inbox.State `json:"state"`
	}
)

// schemas makes JSON schemas of Go types.
type schemas struct{ out map[string]any }

// add describes a struct under a name; required names what the type's tags
// would not say.
func (s *schemas) add(name string, t reflect.Type, required ...string) {
	properties, needed := map[string]any{}, []string{}

	s.fields(t, properties, &needed)

	if len(required) > 0 {
		needed = required
	}

	for _, left := range leftOut()[name] {
		delete(properties, left)
		needed = slices.DeleteFunc(needed, func(field string) bool { return field == left })
	}

	slices.Sort(needed)
	s.out[name] = map[string]any{"type": "object", "properties": properties, "required": slices.Compact(needed)}
}

// leftOut are the fields that lists leave out.
func leftOut() map[string][]string {
	return map[string][]string{
		"ListedConversation": {"participants", "timeline", "queue"},
		"ListedTicket":       {"transcript"},
		"ListedDesk":         {"queue", "agents"},
	}
}

func (s *schemas) fields(t reflect.Type, properties map[string]any, needed *[]string) {
	for field := range t.Fields() {
		if field.Anonymous {
			s.fields(field.Type, properties, needed)

			continue
		}

		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}

		may := options == "omitempty" || options == "omitzero"
		properties[name] = s.schema(field.Type, !may)

		if !may {
			*needed = append(*needed, name)
		}
	}
}

func (s *schemas) schema(t reflect.Type, nullable bool) any {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[json.RawMessage]():
		return map[string]any{}
	}

	if values, ok := words()[t]; ok {
		return map[string]any{"type": "string", "enum": values}
	}

	switch t.Kind() {
	case reflect.Pointer:
		inner := s.schema(t.Elem(), false)
		if nullable {
			return map[string]any{"oneOf": []any{inner, map[string]any{"type": "null"}}}
		}

		return inner
	case reflect.Slice:
		return map[string]any{"type": "array", "items": s.schema(t.Elem(), false)}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.schema(t.Elem(), false)}
	case reflect.Struct:
		name := t.Name()
		if _, known := s.out[name]; !known {
			s.out[name] = nil // it may hold itself
			s.add(name, t)
		}

		return map[string]any{"$ref": "#/components/schemas/" + name}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	default:
		return map[string]any{"type": "string"}
	}
}

func words() map[reflect.Type][]string {
	return map[reflect.Type][]string{
		reflect.TypeFor[signals.Status]():      {"open", "queued", "offered", "active", "snoozed", "closing", "closed"},
		reflect.TypeFor[inbox.State]():         {"pending", "forwarded", "parked", "late", "ignored", "dead"},
		reflect.TypeFor[signals.Role]():        {"visitor", "agent", "bot", "system", "unknown"},
		reflect.TypeFor[signals.Visibility]():  {"all", "agents"},
		reflect.TypeFor[signals.MessageKind](): {"text", "file", "form", "rich", "custom", "system"},
	}
}
