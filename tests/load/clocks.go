package main

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/parleyhq/parley/signals"
)

// historyPerMessage sends 20 messages one at a time into a running conversation
// and reads how far its history grew.
func historyPerMessage(ctx context.Context, api *api, opts *options) (float64, error) {
	const messages = 20

	temporal, err := client.DialContext(ctx, client.Options{HostPort: opts.temporal})
	if err != nil {
		return 0, fmt.Errorf("connect to Temporal: %w", err)
	}
	defer temporal.Close()

	key := api.key("h", 0)
	lengths := make([]int64, 0, 2)

	for number := range messages + 2 {
		if _, err := api.send(ctx, message(key, number)); err != nil {
			return 0, err
		}

		applied := int64(number + 1)
		if _, err := await(ctx, api, key, func(v *signals.View) bool { return v.Applied == applied }); err != nil {
			return 0, err
		}

		// The first two start the run and give it its agent.
		if number == 1 || number == messages+1 {
			described, err := temporal.DescribeWorkflowExecution(ctx, key.WorkflowID(), "")
			if err != nil {
				return 0, fmt.Errorf("describe the run: %w", err)
			}

			lengths = append(lengths, described.GetWorkflowExecutionInfo().GetHistoryLength())
		}
	}

	return float64(lengths[1]-lengths[0]) / messages, nil
}

// lateness arms one clock per conversation, evenly over two seconds, and reads
// when each fired.
func lateness(ctx context.Context, api *api, opts *options) (*durations, error) {
	ctx, cancel := context.WithTimeout(ctx, opts.patience+opts.first)
	defer cancel()

	const spread = 2 * time.Second

	var late durations

	begun := time.Now()
	group, timing := errgroup.WithContext(ctx)
	group.SetLimit(opts.connections)

	for number := range opts.clocks {
		due := begun.Add(spread * time.Duration(number) / time.Duration(opts.clocks))

		group.Go(func() error {
			time.Sleep(time.Until(due))

			event := message(api.key("c", number), 0)
			if _, err := api.send(timing, event); err != nil {
				return err
			}

			return nil
		})
	}

	if err := group.Wait(); err != nil {
		return nil, err
	}

	// Reading while clocks fire would measure the reading.
	time.Sleep(opts.first + time.Second)

	for number := range opts.clocks {
		view, err := await(ctx, api, api.key("c", number), func(v *signals.View) bool { return v.PushTimes > 0 })
		if err != nil {
			return nil, err
		}

		var written, pushed time.Time

		for _, entry := range view.Timeline {
			switch {
			case entry.Type == signals.MessageReceived && written.IsZero():
				written = entry.At
			case entry.Type == signals.UnrepliedPushed && pushed.IsZero():
				pushed = entry.At
			}
		}

		late.add(pushed.Sub(written.Add(opts.first)))
	}

	return &late, nil
}
