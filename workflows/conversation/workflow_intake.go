package conversation

import (
	"encoding/json"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/parleyhq/parley/signals"
)

// maxRejected is how much of an element that cannot be decoded is kept.
const maxRejected = 512

// flatSignal is one of the convenience signals.
type flatSignal struct {
	name    string
	channel workflow.ReceiveChannel
}

func (c *conversation) listen(ctx workflow.Context) {
	c.events = workflow.GetSignalChannel(ctx, signals.EventsSignal)
	c.offers = workflow.GetSignalChannel(ctx, signals.OffersSignal)

	for _, name := range []string{
		signals.EscalationSignal, signals.AgentAcceptedSignal, signals.QueueMoveSignal,
		signals.MessageSignal, signals.TypingSignal, signals.CloseSignal,
	} {
		c.flat = append(c.flat, flatSignal{name: name, channel: workflow.GetSignalChannel(ctx, name)})
	}
}

// waiting reports whether a signal has not been taken in yet.
func (c *conversation) waiting() bool {
	if c.events.Len() > 0 || c.offers.Len() > 0 {
		return true
	}

	for _, flat := range c.flat {
		if flat.channel.Len() > 0 {
			return true
		}
	}

	return false
}

// drain takes in every signal that has arrived, the gateway's batches in their
// order, then the convenience signals in the order of the contract, then what
// desks say, which an event may have overtaken.
func (c *conversation) drain(ctx workflow.Context) {
	if c.machine == nil {
		return
	}

	c.closeOut(ctx)

	now := workflow.Now(ctx)

	for {
		var raw json.RawMessage
		if !c.events.ReceiveAsync(&raw) {
			break
		}

		c.takeBatch(raw, now)
	}

	c.drainFlat(now)
	c.drainOffers(ctx, now)
}

// drainOffers decodes element by element, as with events; what fails is logged,
// and the desk asks again.
func (c *conversation) drainOffers(ctx workflow.Context, now time.Time) {
	for {
		var raw json.RawMessage
		if !c.offers.ReceiveAsync(&raw) {
			return
		}

		var batch signals.OfferBatch

		if err := json.Unmarshal(raw, &batch); err != nil || batch.Offers == nil {
			batch.Offers = []json.RawMessage{raw} // a bare offer is as good
		}

		for _, element := range batch.Offers {
			var offer signals.Offer

			c.taken++
			c.touched = true

			if err := json.Unmarshal(element, &offer); err != nil || offer.Kind == "" {
				workflow.GetLogger(ctx).Warn("What a desk said could not be read.", "conversation", c.key.Conversation,
					"source", c.key.Source, "error", err)

				continue
			}

			c.machine.Offer(offer, now)
		}
	}
}

// takeBatch decodes element by element: the SDK would drop a whole payload
// that it cannot decode, and a bad event must cost only itself.
func (c *conversation) takeBatch(raw json.RawMessage, now time.Time) {
	var batch signals.Batch

	if err := json.Unmarshal(raw, &batch); err != nil || batch.Events == nil {
		c.takeRaw(raw, now) // a bare event is as good

		return
	}

	for _, element := range batch.Events {
		c.takeRaw(element, now)
	}
}

func (c *conversation) takeRaw(raw json.RawMessage, now time.Time) {
	var event signals.Event

	if err := json.Unmarshal(raw, &event); err != nil {
		c.reject(raw, err, now)

		return
	}

	if event.ReceivedAt.IsZero() {
		event.ReceivedAt = now
	}

	if event.At.IsZero() {
		event.At = event.ReceivedAt
	}

	if err := c.check(&event); err != nil {
		c.reject(raw, err, now)

		return
	}

	c.take(&event, now)
}

// check refuses what is no event of this conversation.
func (c *conversation) check(event *signals.Event) error {
	if err := event.ValidateSignal(); err != nil {
		return fmt.Errorf("not an event: %w", err)
	}

	if event.Source != "" && event.Source != c.key.Source {
		return &signals.FieldError{Field: "source", Reason: "is another conversation's"}
	}

	if event.Conversation != "" && (signals.Key{Source: c.key.Source, Conversation: event.Conversation}).WorkflowID() !=
		c.info.WorkflowExecution.ID {
		return &signals.FieldError{Field: "conversation", Reason: "is another conversation's"}
	}

	return nil
}

func (c *conversation) take(event *signals.Event, now time.Time) {
	c.taken++
	c.touched = true

	if c.machine.Key.Conversation == c.key.Conversation && event.Conversation != "" {
		c.machine.Key.Conversation = event.Conversation // the original of a hashed id
	}

	c.machine.Lapse(event, now)

	if !c.machine.Decided {
		c.machine.Apply(event.Bounded(), now)

		return
	}

	c.takeLater(event)
}

// maxPending bounds what goes along to the next session, in bytes of JSON: a
// run that is started with more than 2 MB fails for ever.
const maxPending = 1 << 20

// takeLater sorts what comes after the decision about the ticket: into the next
// session, or beside the ticket.
func (c *conversation) takeLater(event *signals.Event) {
	follows := len(c.pending) > 0 || c.machine.Following(event)

	if raw, err := json.Marshal(event.Bounded()); follows && err == nil &&
		!c.machine.Known(event) && c.pendingBytes+len(raw) <= maxPending {
		c.pending = append(c.pending, raw)
		c.pendingBytes += len(raw)

		return
	}

	if c.machine.Stray(event) {
		c.stray = append(c.stray, event.Bounded())
	}
}

func (c *conversation) reject(raw json.RawMessage, err error, now time.Time) {
	c.taken++
	c.touched = true
	c.machine.Reject(err.Error()+": "+signals.Cut(string(raw), maxRejected), now)
}

func (c *conversation) drainFlat(now time.Time) {
	var taken []signals.Event

	for _, flat := range c.flat {
		for {
			var raw json.RawMessage
			if !flat.channel.ReceiveAsync(&raw) {
				break
			}

			event, err := signals.DecodeFlat(flat.name, raw, c.key, now)
			if err != nil {
				c.reject(raw, err, now)

				continue
			}

			taken = append(taken, event)
		}
	}

	for _, event := range signals.OrderFlat(taken) {
		c.take(&event, now)
	}
}
