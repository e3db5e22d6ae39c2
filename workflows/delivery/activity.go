package delivery

import (
	"time"

	"github.com/parleyhq/parley/signals"
)

// Names of the activities that a delivery calls; package activities/deliver
// provides them.
const (
	// AttemptActivity takes an [Attempt], makes it once, and returns a
	// [Receipt] or an application error of one of the types below.
	AttemptActivity = "attempt"
	// ReportActivity takes a [Report]. It is idempotent, and Temporal retries it.
	ReportActivity = "report"
)

// Types of the application errors that [AttemptActivity] returns. An error of
// any other type counts as temporary.
const (
	// TemporaryError may pass: the order is tried again. The error's
	// NextRetryDelay, if any, is what the receiver asked for.
	TemporaryError = "DeliveryTemporary"
	// PermanentError never passes: the order is given up.
	PermanentError = "DeliveryPermanent"
	// ExpiredError says that the attempt came to a worker too late to start.
	ExpiredError = "DeliveryExpired"
)

// Attempt is one try at one order.
type Attempt struct {
	Order signals.Order `json:"order"`
	// Number counts from 1.
	Number int `json:"number"`
	// ExpiresAt: the attempt must not start at or after it.
	ExpiresAt time.Time `json:"expires_at"`
}

// Receipt is what a receiver said when it took an order.
type Receipt struct {
	// ExternalID is the receiver's own id of what it made, if it told one.
	ExternalID string `json:"external_id,omitempty"`
	// URL leads to it.
	URL string `json:"url,omitempty"`
	// Detail is for people: how it went.
	Detail string `json:"detail,omitempty"`
}

// Report tells the ticket store, the conversation and the channels what became
// of a ticket, or the conversation what became of a platform's command.
type Report struct {
	Key   signals.Key   `json:"key"`
	Event signals.Event `json:"event"`
	// Counter is the order's own.
	Counter int64 `json:"counter"`
}
