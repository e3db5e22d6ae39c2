package courier

import (
	"context"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/parleyhq/parley/signals"
)

// keeperTimeout bounds one call to the keeper that must not fail just because
// the callers have left: what a run has got is no longer parked.
const keeperTimeout = 5 * time.Second

// tell signals an open run and nothing else.
func (c *Courier) tell(ctx context.Context, key signals.Key, letters []*letter) error {
	err := c.signal(ctx, key.WorkflowID(), letters)
	if err == nil || isNotFound(err) {
		return nil
	}

	return classify("tell conversation", err)
}

// conversation brings letters to a conversation, whatever state it is in.
func (c *Courier) conversation(ctx context.Context, key signals.Key, letters []*letter) error {
	id := key.WorkflowID()

	if !mayStart(letters) {
		err := c.signal(ctx, id, letters)
		if isNotFound(err) {
			return c.afterClose(ctx, key, "", letters, nil)
		}

		if err != nil {
			return classify("signal conversation", err)
		}

		settle(letters, fateSignalled)

		return nil
	}

	parked, err := c.parked(ctx, key)
	if err != nil {
		return err
	}

	err = c.start(ctx, id, slices.Concat(parked, letters), opening{
		workflow: signals.ConversationWorkflow,
		reuse:    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		summary:  conversationSummary(key, letters),
		input:    firstStart(key),
	})
	if runID, ok := alreadyStarted(err); ok {
		return c.afterClose(ctx, key, runID, letters, parked)
	}

	if err != nil {
		return classify("signal or start conversation", err)
	}

	settle(letters, fateSignalled)
	c.unpark(ctx, key, parked)

	return nil
}

// afterClose deals with letters that found no open run: they belong to the
// closed session, start the next one, or wait.
func (c *Courier) afterClose(ctx context.Context, key signals.Key, runID string, letters, parked []*letter) error {
	last, err := c.lastRun(ctx, key.WorkflowID(), runID)
	if err != nil {
		return err
	}

	switch last.state {
	case runOpen:
		return errAgain
	case runNone:
		if mayStart(letters) {
			// It was closed a moment ago, and retention took it meanwhile.
			return errAgain
		}

		return c.park(ctx, key, 0, letters)
	case runClosed:
	}

	past := c.sessionOf(ctx, key, last)
	rest := judge(past, c.config.RetryWindow(key.Source), letters)

	if err := c.keepLate(ctx, key, past.Session, letters); err != nil {
		return err
	}

	if !mayStart(rest) {
		return c.park(ctx, key, past.Session, rest)
	}

	if parked == nil {
		if parked, err = c.parked(ctx, key); err != nil {
			return err
		}
	}

	return c.nextSession(ctx, key, past, rest, parked)
}

// nextSession starts the session after past with what is left of a batch, and
// with what waited for it.
func (c *Courier) nextSession(ctx context.Context, key signals.Key, past pastSession, rest, parked []*letter) error {
	waiting := judge(past, c.config.RetryWindow(key.Source), parked)

	if err := c.keepLate(ctx, key, past.Session, parked); err != nil {
		return err
	}

	next := past.Next()
	next.Conversation = firstStart(key).Conversation

	if next.Conversation == "" {
		next.Conversation = past.conversation
	}

	err := c.start(ctx, key.WorkflowID(), slices.Concat(waiting, rest), opening{
		workflow: signals.ConversationWorkflow,
		reuse:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		summary:  conversationSummary(key, rest),
		input:    next,
	})
	if err != nil {
		return classify("start next session", err)
	}

	settle(rest, fateSignalled)
	c.unpark(ctx, key, parked)

	return nil
}

func (c *Courier) keepLate(ctx context.Context, key signals.Key, session int, letters []*letter) error {
	late := eventsOf(letters, fateLate)
	if len(late) == 0 {
		return nil
	}

	return keeperError("keep late events", c.keeper.Keep(ctx, key, Late, session, late))
}

// park hands letters to the keeper; session is the last closed one.
func (c *Courier) park(ctx context.Context, key signals.Key, session int, letters []*letter) error {
	if len(letters) == 0 {
		return nil
	}

	settle(letters, fateParked)

	events := eventsOf(letters, fateParked)
	for i := range events {
		events[i].Session = session
	}

	return keeperError("park events", c.keeper.Park(ctx, key, events))
}

// parked returns what waits for the conversation, as letters.
func (c *Courier) parked(ctx context.Context, key signals.Key) ([]*letter, error) {
	if !c.keeper.HasParked(key) {
		return nil, nil
	}

	events, err := c.keeper.Parked(ctx, key)
	if err != nil {
		return nil, keeperError("read parked events", err)
	}

	letters := make([]*letter, 0, len(events))

	for i := range events {
		event := events[i]
		event.Session = 0

		raw, err := encodeEvent(&event)
		if err != nil {
			return nil, err
		}

		letters = append(letters, &letter{event: &event, raw: raw})
	}

	return letters, nil
}

// unpark tells the keeper that parked letters are settled. Should it fail, they
// go to the run a second time, which drops them, or are counted as orphans.
func (c *Courier) unpark(ctx context.Context, key signals.Key, letters []*letter) {
	if len(letters) == 0 {
		return
	}

	ids := make([]string, 0, len(letters))
	for _, l := range letters {
		ids = append(ids, l.event.ID)
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keeperTimeout)
	defer cancel()

	if err := c.keeper.Unpark(ctx, key, ids); err != nil {
		c.log.ErrorContext(ctx, "parked events went out and stay parked", "source", key.Source,
			"conversation", key.Conversation, "size", len(ids), "error", err)
	}
}

func mayStart(letters []*letter) bool {
	return slices.ContainsFunc(letters, func(l *letter) bool { return l.event.Type.MayStart() })
}

func eventsOf(letters []*letter, where fate) []signals.Event {
	var events []signals.Event

	for _, l := range letters {
		if l.fate == where {
			events = append(events, *l.event)
		}
	}

	return events
}

// firstStart returns what a never-seen conversation is told: that this is its
// first session, so that it need not ask, and its own chat id, if the workflow
// id only has the hash.
func firstStart(key signals.Key) signals.Start {
	start := signals.Start{Version: 1, Session: 1}

	parsed, err := signals.ParseWorkflowID(key.WorkflowID())
	if err != nil || parsed.Conversation != key.Conversation {
		start.Conversation = key.Conversation
	}

	return start
}
