package main

import (
	"context"
	"fmt"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/courier"
	"github.com/parleyhq/parley/webhooks/inbox"
)

// straight sends a webhook to Temporal before it is answered.
type straight struct {
	*inbox.Inbox

	courier *courier.Courier
}

// Accept brings every conversation's events to their runs, or keeps them.
func (a straight) Accept(ctx context.Context, source string, events []signals.Event) (inbox.Receipt, error) {
	var (
		receipt inbox.Receipt
		groups  = map[string][]signals.Event{}
	)

	for i := range events {
		groups[events[i].Conversation] = append(groups[events[i].Conversation], events[i])
	}

	for conversation, group := range groups {
		fresh := len(group)

		var err error
		if conversation == "" {
			fresh, _, err = a.LogAccount(ctx, source, group)
		} else {
			fresh, err = a.carry(ctx, signals.Key{Source: source, Conversation: conversation}, group)
		}

		if err != nil {
			return inbox.Receipt{}, fmt.Errorf("accept the events of %s: %w", source, err)
		}

		receipt.Accepted, receipt.Duplicates = receipt.Accepted+fresh, receipt.Duplicates+len(group)-fresh
	}

	return receipt, nil
}

func (a straight) carry(ctx context.Context, key signals.Key, events []signals.Event) (int, error) {
	parked, err := a.Parked(ctx, key)
	if err != nil {
		return 0, err //nolint:wrapcheck // the caller says what it is about
	}

	starts := false
	for i := range events {
		starts = starts || events[i].Type.MayStart()
	}

	if !starts {
		parked = nil
	}

	all := append(parked, events...) //nolint:gocritic // parked is ours

	outcome, err := a.courier.Events(ctx, key, all)
	if err != nil {
		return 0, err //nolint:wrapcheck // the caller says what it is about
	}

	var late, wait []signals.Event

	gone, seen := []string{}, 0

	for i, fate := range outcome.Fates {
		if i < len(parked) && fate != courier.Parked {
			gone = append(gone, all[i].ID)
		}

		switch {
		case fate == courier.Late:
			late = append(late, all[i])
		case fate == courier.Parked && i >= len(parked):
			all[i].Session = outcome.Session
			wait = append(wait, all[i])
		case fate == courier.Seen && i >= len(parked):
			seen++
		}
	}

	if err := a.Keep(ctx, key, inbox.Late, outcome.Session, late); err != nil {
		return 0, err //nolint:wrapcheck // the caller says what it is about
	}

	if err := a.Park(ctx, key, wait); err != nil {
		return 0, err //nolint:wrapcheck // the caller says what it is about
	}

	if len(gone) > 0 {
		err = a.Unpark(ctx, key, gone)
	}

	return len(events) - seen, err //nolint:wrapcheck // the caller says what it is about
}
