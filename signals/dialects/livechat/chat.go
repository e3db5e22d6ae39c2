package livechat

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
)

// chat is a Chat object with the thread that has just come.
type chat struct {
	ID         string         `json:"id"`
	Users      []user         `json:"users"`
	Properties signals.Values `json:"properties"`
	Access     groups         `json:"access"`
	Thread     thread         `json:"thread"`
}

type groups struct {
	IDs []text `json:"group_ids"`
}

// thread is a Thread object; timestamp and order are those of 3.1.
type thread struct {
	ID               string            `json:"id"`
	Active           *bool             `json:"active"`
	UserIDs          []string          `json:"user_ids"`
	Events           []json.RawMessage `json:"events"`
	Properties       signals.Values    `json:"properties"`
	Access           groups            `json:"access"`
	Tags             []string          `json:"tags"`
	Queue            *queue            `json:"queue"`
	QueuesDuration   *int64            `json:"queues_duration"`
	PreviousThreadID string            `json:"previous_thread_id"`
	NextThreadID     string            `json:"next_thread_id"`
	CreatedAt        string            `json:"created_at"`
	RestrictedAccess string            `json:"restricted_access"`
	Timestamp        int64             `json:"timestamp"`
	Order            *int64            `json:"order"`
}

type queue struct {
	Position *int64 `json:"position"`
	WaitTime *int64 `json:"wait_time"`
	QueuedAt string `json:"queued_at"`
	// QueuedAtUs is the name in the documentation of 3.3 to 3.5.
	QueuedAtUs string `json:"queued_at_us"`
}

// opened translates a chat with its new thread: the opening first, then the
// thread's events in their order, each under its own id.
func (d *decoder) opened() ([]signals.Event, error) {
	var payload struct {
		Chat *chat `json:"chat"`
	}

	if err := d.read(&payload); err != nil {
		return nil, err
	}

	if payload.Chat == nil {
		return nil, d.need("chat", "")
	}

	if err := d.need("chat.id", payload.Chat.ID); err != nil {
		return nil, err
	}

	details, err := d.details(payload.Chat)
	if err != nil {
		return nil, err
	}

	events, err := d.threadEvents(payload.Chat, details.Participants)
	if err != nil {
		return nil, err
	}

	t := &payload.Chat.Thread
	opening := signals.Event{
		ID:   signals.DerivedID(d.action, payload.Chat.ID, t.ID),
		Type: signals.ConversationOpened, Conversation: payload.Chat.ID, Thread: t.ID,
		At: plausible(details.ThreadDetails.CreatedAt), Details: details,
	}

	return slices.Insert(events, 0, opening), nil
}

func (d *decoder) details(c *chat) (*signals.Details, error) {
	t := &c.Thread

	waiting, err := d.queue("chat.thread.queue", t.Queue)
	if err != nil {
		return nil, err
	}

	created, err := parseTime(d.at("chat.thread.created_at"), t.CreatedAt, d.src.Zone)
	if err != nil {
		return nil, err
	}

	if created.IsZero() && t.Timestamp != 0 {
		created = time.Unix(t.Timestamp, 0).UTC()
	}

	details := &signals.Details{
		Channel: propertyText(c.Properties["source"]["type"]), GroupIDs: texts(c.Access.IDs), Active: t.Active,
		Tags: t.Tags, Properties: c.Properties, PreviousThread: t.PreviousThreadID, NextThread: t.NextThreadID, Queue: waiting,
		ThreadDetails: &signals.ThreadDetails{
			CreatedAt: created, Order: t.Order, UserIDs: t.UserIDs, GroupIDs: texts(t.Access.IDs),
			Properties: t.Properties, RestrictedAccess: t.RestrictedAccess, QueuesSeconds: t.QueuesDuration,
		},
	}

	for i := range c.Users {
		p, err := d.participant(d.at(fmt.Sprintf("chat.users[%d]", i)), &c.Users[i], "")
		if err != nil {
			return nil, err
		}

		details.Participants = append(details.Participants, p)
	}

	return details, nil
}

func (d *decoder) threadEvents(c *chat, known []signals.Participant) ([]signals.Event, error) {
	events := make([]signals.Event, 0, len(c.Thread.Events)+1)

	for i, raw := range c.Thread.Events {
		path := d.at(fmt.Sprintf("chat.thread.events[%d]", i))

		event, err := d.message(path, raw, known)
		if err != nil {
			return nil, err
		}

		event.Conversation, event.Thread, event.Raw = c.ID, c.Thread.ID, raw
		events = append(events, event)
	}

	slices.SortStableFunc(events, func(a, b signals.Event) int {
		return a.At.Compare(b.At)
	})

	return events, nil
}

func (d *decoder) queue(path string, q *queue) (*signals.Queue, error) {
	if q == nil {
		return nil, nil //nolint:nilnil // no queue is no error
	}

	said := q.QueuedAt
	if said == "" {
		said = q.QueuedAtUs
	}

	queued, err := parseTime(d.at(path+".queued_at"), said, d.src.Zone)
	if err != nil {
		return nil, err
	}

	return &signals.Queue{Position: q.Position, WaitSeconds: q.WaitTime, QueuedAt: queued}, nil
}

// closed has no user_id where the router closed the thread.
func (d *decoder) closed() (signals.Event, error) {
	event, payload, err := d.inThread()
	if err != nil {
		return signals.Event{}, err
	}

	event.ID = signals.DerivedID(d.action, event.Conversation, event.Thread)
	event.Type = signals.ConversationClosed
	event.Actor = whoever(payload.UserID)
	event.Closing = &signals.Closing{ByID: payload.UserID, ByRole: signals.RoleUnknown}

	if payload.UserID == "" {
		event.Actor = &signals.Actor{Role: signals.RoleSystem}
		event.Closing.ByRole = signals.RoleSystem
	}

	return event, nil
}

func (d *decoder) transferred() (signals.Event, error) {
	var payload struct {
		RequesterID   string `json:"requester_id"`
		Reason        string `json:"reason"`
		TransferredTo struct {
			AgentIDs []text `json:"agent_ids"`
			GroupIDs []text `json:"group_ids"`
		} `json:"transferred_to"`
		Queue *queue `json:"queue"`
	}

	event, _, err := d.inThread()
	if err != nil {
		return signals.Event{}, err
	}

	if err := d.read(&payload); err != nil {
		return signals.Event{}, err
	}

	waiting, err := d.queue("queue", payload.Queue)
	if err != nil {
		return signals.Event{}, err
	}

	event.Type = signals.ConversationTransferred
	event.Actor = whoever(payload.RequesterID)
	event.Transfer = &signals.Transfer{
		AgentIDs: texts(payload.TransferredTo.AgentIDs), GroupIDs: texts(payload.TransferredTo.GroupIDs),
		Reason: payload.Reason, RequesterID: payload.RequesterID, Queue: waiting,
	}

	return event, nil
}

func (d *decoder) summarized() (signals.Event, error) {
	var payload struct {
		Summary *struct {
			Status    string `json:"status"`
			Text      string `json:"text"`
			UpdatedAt string `json:"updated_at"`
		} `json:"summary"`
	}

	event, _, err := d.inThread()
	if err != nil {
		return signals.Event{}, err
	}

	if err := d.read(&payload); err != nil {
		return signals.Event{}, err
	}

	if payload.Summary == nil {
		return signals.Event{}, d.need("summary", "")
	}

	updated, err := parseTime(d.at("summary.updated_at"), payload.Summary.UpdatedAt, d.src.Zone)
	if err != nil {
		return signals.Event{}, err
	}

	event.Type = signals.ConversationSummarized
	event.At = plausible(updated)
	event.Summary = &signals.Summary{Status: payload.Summary.Status, Text: payload.Summary.Text, UpdatedAt: updated}

	return event, nil
}

// followUp is the visitor's wish to be answered later.
func (d *decoder) followUp() (signals.Event, error) {
	event, payload, err := d.inThread()
	if err != nil {
		return signals.Event{}, err
	}

	event.Type = signals.SystemNoted
	event.Note = &signals.Note{Kind: d.action}

	if payload.CustomerID != "" {
		event.Actor = &signals.Actor{ID: payload.CustomerID, Role: signals.RoleVisitor}
	}

	return event, nil
}

// place is what most payloads begin with.
type place struct {
	ChatID     string `json:"chat_id"`
	ThreadID   string `json:"thread_id"`
	UserID     string `json:"user_id"`
	CustomerID string `json:"customer_id"`
}

// inThread reads where an event belongs; the thread may be missing.
func (d *decoder) inThread() (signals.Event, place, error) {
	var payload place

	if err := d.read(&payload); err != nil {
		return signals.Event{}, payload, err
	}

	if err := d.need("chat_id", payload.ChatID); err != nil {
		return signals.Event{}, payload, err
	}

	return signals.Event{Conversation: payload.ChatID, Thread: payload.ThreadID}, payload, nil
}
