package deliver_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/parleyhq/parley/activities/deliver"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/delivery"
)

// waiting is a receiver that answers once it is told to.
type waiting struct{ answer chan struct{} }

func (w waiting) Send(ctx context.Context, _ *signals.Order) (delivery.Receipt, error) {
	select {
	case <-w.answer:
		return delivery.Receipt{Detail: "200"}, nil
	case <-ctx.Done():
		return delivery.Receipt{}, ctx.Err()
	}
}

func TestASlowAttemptGivesSignsOfLifeAndEndsByItself(t *testing.T) {
	t.Parallel()

	var suite testsuite.WorkflowTestSuite

	slow := waiting{answer: make(chan struct{})}
	activities := newActivities(&world{}, &bytes.Buffer{})
	activities.Notices = slow

	beats := 0
	ctx, callBack := context.WithCancel(t.Context())
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(workerOptions(ctx))
	activities.Register(env)
	env.SetOnActivityHeartbeatListener(func(*activity.Info, converter.EncodedValues) {
		beats++
		if beats == 1 {
			// The conversation was answered: what is on the wire goes on.
			callBack()
			time.AfterFunc(10*time.Millisecond, func() { close(slow.answer) })
		}
	})

	value, err := env.ExecuteActivity(delivery.AttemptActivity, noticeAttempt())
	require.NoError(t, err)

	var receipt delivery.Receipt
	require.NoError(t, value.Get(&receipt))
	require.Equal(t, "200", receipt.Detail)
	require.Error(t, ctx.Err())
	require.Positive(t, beats)
}

var _ deliver.Sender = waiting{}

func workerOptions(ctx context.Context) worker.Options {
	return worker.Options{BackgroundActivityContext: ctx}
}
