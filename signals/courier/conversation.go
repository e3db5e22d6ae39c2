package courier

import (
	"context"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/parleyhq/parley/signals"
)

// tell signals an open run and nothing else.
func (c *Courier) tell(ctx context.Context, key signals.Key, letters []*letter) error {
	err := c.signal(ctx, key.WorkflowID(), letters)
	if err == nil || isNotFound(err) {
		return nil
	}

	return classify("tell conversation", err)
}

// conversation brings letters to a conversation, whatever state it is in, and
// returns the closed session that those belong to which are late or parked.
func (c *Courier) conversation(ctx context.Context, key signals.Key, letters []*letter) (int, error) {
	id := key.WorkflowID()

	if !mayStart(letters) {
		err := c.signalAll(ctx, id, pack(letters))
		if isNotFound(err) {
			return c.afterClose(ctx, key, "", letters)
		}

		if err != nil {
			return 0, classify("signal conversation", err)
		}

		settle(letters, Signalled)

		return 0, nil
	}

	err := c.start(ctx, id, letters, opening{
		workflow:   signals.ConversationWorkflow,
		reuse:      enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		summary:    conversationSummary(key, letters),
		input:      firstStart(key),
		attributes: conversationAttributes(key),
	})
	if runID, ok := alreadyStarted(err); ok {
		return c.afterClose(ctx, key, runID, letters)
	}

	if err != nil {
		return 0, classify("signal or start conversation", err)
	}

	settle(letters, Signalled)

	return 0, nil
}

// afterClose deals with letters that found no open run: they belong to the
// closed session, start the next one, or wait.
func (c *Courier) afterClose(ctx context.Context, key signals.Key, runID string, letters []*letter) (int, error) {
	last, err := c.lastRun(ctx, key.WorkflowID(), runID)
	if err != nil {
		return 0, err
	}

	switch last.state {
	case runOpen:
		return 0, ErrHeld
	case runNone:
		if mayStart(letters) {
			// It was closed a moment ago, and retention took it meanwhile.
			return 0, ErrHeld
		}

		settle(letters, Parked)

		return 0, nil
	case runClosed:
	}

	past := c.sessionOf(ctx, key, last)
	rest := judge(past, c.config.RetryWindow(key.Source), letters)

	if !mayStart(rest) {
		settle(rest, Parked)

		return past.Session, nil
	}

	if slices.ContainsFunc(letters, func(l *letter) bool { return l.fate == Late }) {
		settle(rest, Unsent)

		return past.Session, nil
	}

	return past.Session, c.nextSession(ctx, key, past, rest)
}

// nextSession starts the session after past with what is left of a batch.
func (c *Courier) nextSession(ctx context.Context, key signals.Key, past pastSession, rest []*letter) error {
	next := past.Next()
	next.Conversation = firstStart(key).Conversation

	if next.Conversation == "" {
		next.Conversation = past.conversation
	}

	err := c.start(ctx, key.WorkflowID(), rest, opening{
		workflow:   signals.ConversationWorkflow,
		reuse:      enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		summary:    conversationSummary(key, rest),
		input:      next,
		attributes: conversationAttributes(key),
	})
	if err != nil {
		return classify("start next session", err)
	}

	settle(rest, Signalled)

	return nil
}

func mayStart(letters []*letter) bool {
	return slices.ContainsFunc(letters, func(l *letter) bool { return l.event.Type.MayStart() })
}

// conversationAttributes are what a run is found by from its first moment on.
// Most conversations begin open, and that spares them one write to visibility,
// which is a quarter of what the server does for a short conversation.
func conversationAttributes(key signals.Key) temporal.SearchAttributes {
	return temporal.NewSearchAttributes(
		temporal.NewSearchAttributeKeyKeyword(signals.AttrSource).ValueSet(key.Source),
		temporal.NewSearchAttributeKeyKeyword(signals.AttrStatus).ValueSet(string(signals.StatusOpen)),
	)
}

// firstStart returns what a never-seen conversation is told: that this is its
// first session, so that it need not ask, and its own chat id, if the workflow
// id only has the hash.
func firstStart(key signals.Key) signals.Start {
	start := signals.Start{Version: signals.StartVersion, Session: 1}

	parsed, err := signals.ParseWorkflowID(key.WorkflowID())
	if err != nil || parsed.Conversation != key.Conversation {
		start.Conversation = key.Conversation
	}

	return start
}
