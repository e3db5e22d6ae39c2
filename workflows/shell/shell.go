// Package shell holds what the thin Temporal parts of the workflows have in
// common: the one timer, and the bounds of short activities.
package shell

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Pause is how long a short activity that failed in all its attempts waits: the
// store or Temporal itself is away, and the state keeps what is owed.
const Pause = 15 * time.Second

// Options bound a short activity that hands something over. It takes
// milliseconds; a process that is killed during one costs the time of an attempt,
// 5 s. After five attempts it fails.
func Options(summary string) workflow.ActivityOptions {
	const attempt = 5 * time.Second

	return workflow.ActivityOptions{StartToCloseTimeout: attempt, Summary: summary, RetryPolicy: retries()}
}

// LocalOptions bound a short local activity: 15 s an attempt, five attempts.
func LocalOptions(summary string) workflow.LocalActivityOptions {
	const attempt = 15 * time.Second

	return workflow.LocalActivityOptions{StartToCloseTimeout: attempt, Summary: summary, RetryPolicy: retries()}
}

func retries() *temporal.RetryPolicy {
	const (
		first    = 100 * time.Millisecond
		longest  = 10 * time.Second
		attempts = 5
	)

	return &temporal.RetryPolicy{InitialInterval: first, BackoffCoefficient: 2, MaximumInterval: longest, MaximumAttempts: attempts}
}
