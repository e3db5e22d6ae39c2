package webhooks

import (
	"encoding/json"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// postEvents takes one event or an array of them for the conversation that
// the path names, in Parley's own dialect whatever the source's is. They may
// leave out source and conversation, but not name others.
func (s *Server) postEvents(c *fiber.Ctx) error {
	key, err := keyOf(c)
	if err != nil {
		return err
	}

	source, err := s.sourceOf(c)
	if err != nil {
		return err
	}

	req, err := s.requestOf(c)
	if err != nil {
		return err
	}

	if req.Body, err = address(req.Body, key); err != nil {
		return err
	}

	req.Path, req.RawPath = "", ""

	events, err := s.decodeOwn(req, source, key)
	if err != nil {
		return err
	}

	out := s.accept(source, events, req.ReceivedAt)
	s.deps.Ledger.CountAccepted(source.Name, out.Accepted, out.Duplicates)
	s.metrics.accepted(source.Name, out.Accepted, out.Duplicates)

	if p := problemOf(out.Err); out.Err != nil && p.Status < fiber.StatusInternalServerError {
		return p
	}

	if out.Err != nil {
		return unavailable("not accepted for now, send it again")
	}

	return send(c, s.deps.Own.Answer(req, source.Source, out))
}

func (s *Server) decodeOwn(req dialect.Request, source *Source, key signals.Key) ([]signals.Event, error) {
	// The API key stands for the sender, so that the source's secrets do not.
	events, err := s.deps.Own.Decode(req, source.Source)
	if err != nil {
		if p := problemOf(err); p.Status < fiber.StatusInternalServerError {
			return nil, p
		}

		return nil, malformed(signals.Cut(err.Error(), maxReason))
	}

	for i := range events {
		if events[i].Conversation != key.Conversation {
			return nil, invalid("type", string(events[i].Type)+" belongs to no conversation")
		}
	}

	return events, nil
}

// address writes the path's source and conversation into each event.
func address(body []byte, key signals.Key) ([]byte, error) {
	var events []map[string]json.RawMessage

	if dialect.IsArray(body) {
		if err := dialect.Unmarshal(body, "", &events); err != nil {
			return nil, commandProblem(err)
		}
	} else {
		var event map[string]json.RawMessage
		if err := dialect.Unmarshal(body, "", &event); err != nil || event == nil {
			return nil, malformed("the body is no JSON event and no array of events")
		}

		events = append(events, event)
	}

	for i, event := range events {
		if event == nil {
			return nil, malformed("the body is no JSON event and no array of events")
		}

		at := ""
		if dialect.IsArray(body) {
			at = "events[" + strconv.Itoa(i) + "]"
		}

		for name, want := range map[string]string{"source": key.Source, "conversation": key.Conversation} {
			if err := setOwn(event, name, want); err != nil {
				return nil, invalid(dialect.Join(at, name), "is not the one in the path")
			}
		}
	}

	if !dialect.IsArray(body) {
		return json.Marshal(events[0]) //nolint:wrapcheck // what came as JSON always marshals
	}

	return json.Marshal(events) //nolint:wrapcheck // what came as JSON always marshals
}

// setOwn sets a field that is absent, and otherwise compares it.
func setOwn(event map[string]json.RawMessage, name, want string) error {
	if !dialect.IsNull(event[name]) {
		var have string
		if err := json.Unmarshal(event[name], &have); err != nil {
			return err //nolint:wrapcheck // the caller says what is wrong
		}

		if have != want && have != "" {
			return invalid(name, want)
		}
	}

	raw, err := json.Marshal(want)
	event[name] = raw

	return err //nolint:wrapcheck // a string always marshals
}
