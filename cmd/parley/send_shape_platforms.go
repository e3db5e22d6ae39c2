package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Layouts of times.
const (
	liveChatTime = "2006-01-02T15:04:05.000000Z"
	// acquireTime is what JavaScript's Date writes, without the zone's name.
	acquireTime   = "Mon Jan 02 2006 15:04:05 GMT-0700"
	acquireZone   = " (Coordinated Universal Time)"
	acquireV1Time = "2006-01-02 15:04:05"
)

// livechat works on every envelope and on bare payloads.
func (s *shaper) livechat() {
	top := s.top()
	action, payload := text(top, "action"), at(top, "payload")

	if len(payload) == 0 {
		payload = at(top, "data")
	}

	if len(payload) == 0 {
		payload = top
	}

	if action == "" {
		action = strings.Trim(s.req.Path, "/")
	}

	chat := at(payload, "chat")
	thread := at(chat, "thread")

	s.put(payload, "chat_id")
	s.put(chat, "id")

	before := cmp.Or(text(thread, "id"), text(payload, "thread_id"))
	after := cmp.Or(s.thread, threadOf(s.conversation), before, "T")

	replace(thread, "id", after)
	replace(payload, "thread_id", after)

	events := objects(thread["events"])

	if event := at(payload, "event"); len(event) > 0 && action == "incoming_event" {
		events = append(events, event)
	}

	s.liveChatEvents(events, before, after)

	if !s.fresh {
		return
	}

	if len(events) > 0 {
		replace(thread, "created_at", text(events[0], "created_at"))
	} else {
		s.renew(thread, "created_at", s.now.Format(liveChatTime))
	}

	s.renew(top, "webhook_id", strings.ReplaceAll(uuid.NewString(), "-", ""))
	s.renew(payload, "seen_up_to", s.now.Format(liveChatTime))
	s.renew(at(payload, "typing_indicator"), "timestamp", s.now.Unix())
	s.renew(at(payload, "sneak_peek"), "timestamp", s.now.Unix())
}

// liveChatEvents gives the events of a thread its ids: thread, underscore,
// number.
func (s *shaper) liveChatEvents(events []object, before, after string) {
	for _, event := range events {
		if s.fresh {
			event["id"] = after + "_" + s.number()
		} else if tail, ok := strings.CutPrefix(text(event, "id"), before+"_"); ok {
			event["id"] = after + "_" + tail
		}
	}

	if s.fresh {
		s.shiftTimes(events, "created_at",
			func(said string) (time.Time, error) { return time.Parse(time.RFC3339, said) },
			func(moment time.Time) string { return moment.UTC().Format(liveChatTime) })
	}
}

// replace writes a value at a key that is there.
func replace(in object, key, value string) {
	if _, there := in[key]; there {
		in[key] = value
	}
}

// parley takes one event, an array of them, or {"events":[…]}.
func (s *shaper) parley() {
	events := objects(s.body)

	if top := s.top(); top != nil {
		if events = objects(top["events"]); len(events) == 0 {
			events = []object{top}
		}
	}

	for i, event := range events {
		s.named = true

		if s.conversation != "" {
			event["conversation"] = s.conversation
		}

		if s.thread != "" {
			event["thread"] = s.thread
		}

		if !s.fresh {
			continue
		}

		event["id"] = uuid.NewString()
		event["at"] = s.now.Add(time.Duration(i) * time.Millisecond).Format(time.RFC3339Nano)

		if text(event, "type") == "message.received" {
			s.renew(at(event, "message"), "id", event["id"])
		}
	}
}

func (s *shaper) inbenta() {
	top := s.top()
	data := at(top, "data")
	message := at(data, "message")

	s.put(data, "chatId")
	s.put(message, "chat")

	if chat := at(data, "chat"); len(chat) > 0 {
		s.put(chat, "id")
	} else {
		s.put(data, "chat")
	}

	if !s.fresh {
		return
	}

	if strings.HasPrefix(text(top, "trigger"), "messages:") {
		s.renew(message, "id", strings.ReplaceAll(uuid.NewString(), "-", "")[:24])
	}

	created := s.now.Unix()
	if said := strings.TrimLeft(fmt.Sprint(top["created_at"]), "-"); len(said) > len("1583331000") {
		created = s.now.UnixMilli()
	}

	s.renew(top, "created_at", created)
}

// acquire works on version 2, and on version 1, whose names begin with CHAT_.
func (s *shaper) acquire() {
	top := s.top()
	data := at(top, "data")

	if strings.HasPrefix(text(top, "event"), "CHAT_") {
		s.acquireV1(top, data)

		return
	}

	message := at(data, "message")
	messages := objects(data["messages"])

	s.put(data, "caseId")
	s.put(data, "case_id")
	s.put(at(data, "case"), "caseId")
	s.put(at(data, "case"), "id")
	s.put(message, "caseId")

	if !s.fresh {
		return
	}

	if len(message) > 0 {
		messages = append(messages, message)
	}

	if text(top, "event") == "case:message:new" && len(messages) == 0 {
		messages = append(messages, data) // the message may stand there itself
	}

	for _, each := range messages {
		s.renew(each, "id", s.number())
	}

	s.shiftTimes(messages, "dateCreated",
		func(said string) (time.Time, error) {
			plain, _, _ := strings.Cut(said, " (")

			return time.Parse(acquireTime, plain)
		},
		func(moment time.Time) string { return moment.UTC().Format(acquireTime) + acquireZone })
}

func (s *shaper) acquireV1(top, data object) {
	fields := top
	if len(data) > 0 {
		fields = data
	}

	s.put(fields, "id")
	s.put(fields, " id") // as the documentation prints it

	for _, key := range []string{"date_created", "date_updated"} {
		s.renew(fields, key, s.now.In(s.zone).Format(acquireV1Time))
	}
}

// twt moves all times by as much, since what a visitor waits is told by their
// distance.
func (s *shaper) twt() {
	top := s.top()
	content := objects(top["content"])

	if one := at(top, "content"); len(one) > 0 {
		content = []object{one}
	}

	for _, item := range content {
		s.named = true

		if s.conversation != "" {
			item["sbs"] = s.conversation
		}
	}

	if !s.fresh {
		return
	}

	sent, ok := whole(top["created_at"])
	if !ok {
		sent = s.now.Unix()
	}

	for _, each := range slices.Concat([]object{top}, content) {
		if moment, ok := whole(each["created_at"]); ok {
			each["created_at"] = s.now.Unix() - sent + moment
		}
	}
}

// whole returns a whole number, also of a string of digits.
func whole(value any) (int64, bool) {
	var digits string

	switch v := value.(type) {
	case json.Number:
		digits = v.String()
	case string:
		digits = v
	}

	number, err := strconv.ParseInt(digits, 10, 64)

	return number, err == nil
}
