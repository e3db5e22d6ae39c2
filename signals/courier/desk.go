package courier

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/parleyhq/parley/signals"
)

// Asks brings conversations' statements to a desk, starting it where it does not
// run, and returns once they are in its history.
func (c *Courier) Asks(ctx context.Context, desk string, asks []signals.Ask) error {
	letters := make([]*letter, 0, len(asks))

	for i := range asks {
		ask := &asks[i]
		if err := checkKey(ask.Key); err != nil {
			return err
		}

		sent, err := deskLetter(string(ask.Kind), "statement of "+ask.Key.String(), ask)
		if err != nil {
			return err
		}

		letters = append(letters, sent)
	}

	return c.toDesk(ctx, desk, kindAsks, letters)
}

// Words brings what a platform says of its agents to a desk, starting it where
// it does not run, and returns once it is in its history.
func (c *Courier) Words(ctx context.Context, desk string, words []signals.AgentWord) error {
	letters := make([]*letter, 0, len(words))

	for i := range words {
		said := words[i].Status
		if said == "" {
			said = "agent"
		}

		sent, err := deskLetter(said, "word about "+words[i].ID, &words[i])
		if err != nil {
			return err
		}

		letters = append(letters, sent)
	}

	return c.toDesk(ctx, desk, kindWords, letters)
}

// Offers brings a desk's messages to the conversation named by key if it runs,
// and reports whether it does. They share the way of its events, so that one
// signal is in flight to it.
func (c *Courier) Offers(ctx context.Context, key signals.Key, offers []signals.Offer) (bool, error) {
	if err := checkKey(key); err != nil {
		return false, err
	}

	letters := make([]*letter, 0, len(offers))

	for i := range offers {
		sent, err := deskLetter(string(offers[i].Kind), "message of desk "+offers[i].Desk, &offers[i])
		if err != nil {
			return false, err
		}

		letters = append(letters, sent)
	}

	parcels, err := c.post(ctx, address{key: key}, kindOffers, letters)
	if err != nil {
		return false, err
	}

	if err := c.await(ctx, parcels); err != nil {
		return false, err
	}

	for _, p := range parcels {
		for _, fate := range p.outcome.Fates {
			if fate != Signalled {
				return false, nil
			}
		}
	}

	return true, nil
}

func (c *Courier) toDesk(ctx context.Context, desk string, kind kind, letters []*letter) error {
	if !signals.ValidName(desk) {
		return fmt.Errorf("%w: bad desk %q", ErrRefused, desk)
	}

	parcels, err := c.post(ctx, address{desk: desk}, kind, letters)
	if err != nil {
		return err
	}

	return c.await(ctx, parcels)
}

func deskLetter(summary, what string, payload any) (*letter, error) {
	raw, err := json.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("%w: encode the %s: %w", ErrRefused, what, err)
	}

	raw, err = checkSize(what, raw)

	return &letter{said: summary, raw: raw}, err
}

// desk brings letters to a desk. It has no session and nothing to be started
// with: a run that ended, whoever ended it, is followed by one that asks who is
// still there.
func (c *Courier) desk(ctx context.Context, desk string, letters []*letter) error {
	err := c.start(ctx, signals.DeskWorkflowID(desk), letters, opening{
		workflow: signals.DeskWorkflow,
		reuse:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		summary:  "Desk " + desk,
		queue:    signals.DeskTaskQueue,
	})

	return classify("signal or start desk", err)
}

// offers signals an open run and nothing else.
func (c *Courier) offers(ctx context.Context, key signals.Key, letters []*letter) error {
	err := c.signal(ctx, key.WorkflowID(), letters)
	if isNotFound(err) {
		settle(letters, Parked)

		return nil
	}

	return classify("signal conversation", err)
}

// deskPayload makes the signal between a desk and others that carries letters.
func deskPayload(kind kind, letters []*letter, raws []json.RawMessage) (string, any) {
	events := make([]signals.Event, 0, len(letters))
	for _, l := range letters {
		events = append(events, signals.Event{Type: signals.Type(l.said)})
	}

	summary := signals.Cut(strings.ToValidUTF8(signals.Summarize(events), ""), maxSummary)

	switch kind {
	case kindAsks:
		return signals.AsksSignal, signals.AskBatch{Summary: summary, Asks: raws}
	case kindWords:
		return signals.AgentsSignal, signals.AgentBatch{Summary: summary, Agents: raws}
	default:
		return signals.OffersSignal, signals.OfferBatch{Summary: summary, Offers: raws}
	}
}
