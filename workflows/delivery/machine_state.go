package delivery

import (
	"time"

	"github.com/parleyhq/parley/signals"
)

// stateVersion is the form of [State] that this build writes.
const stateVersion = 1

// State is everything a delivery remembers. It is JSON-stable, since it is
// part of the next run's input at continue-as-new, and bounded by [Rules].
type State struct {
	Version int         `json:"version"`
	Target  string      `json:"target"`
	Key     signals.Key `json:"key"`
	// Counters is the highest Counter seen, per session.
	Counters map[int]int64 `json:"counters,omitempty"`
	// Pending are the orders that wait, in the order in which they go out; the
	// first one is being attempted while InFlight is set.
	Pending  []Pending `json:"pending,omitempty"`
	InFlight bool      `json:"in_flight,omitempty"`
	// Reports wait to be told to the conversation.
	Reports []Report `json:"reports,omitempty"`
	// QuietSince is when something last happened.
	QuietSince time.Time `json:"quiet_since"`
	Counts     Counts    `json:"counts"`
	// Last is how the order before ended.
	Last *Ended `json:"last,omitempty"`
}

// Pending is one order that has not ended.
type Pending struct {
	Order signals.Order `json:"order"`
	Since time.Time     `json:"since"`
	// ExpiresAt: no attempt starts at or after it.
	ExpiresAt time.Time `json:"expires_at"`
	// Attempts started so far, the one in flight included.
	Attempts  int       `json:"attempts"`
	NotBefore time.Time `json:"not_before,omitzero"`
	LastError string    `json:"last_error,omitempty"`
	// Cancelled while it was being attempted: it is not tried again.
	Cancelled bool `json:"cancelled,omitempty"`
	// Bytes is the size of the order as JSON.
	Bytes int `json:"bytes"`
}

// End says how an order ended.
type End string

// The ends of an order.
const (
	Delivered End = "delivered"
	// Expired: its time ran out before a receiver took it.
	Expired End = "expired"
	// Failed: the receiver will never take it, or it had to make room.
	Failed    End = "failed"
	Cancelled End = "cancelled"
)

// Counts counts orders by how they ended, and what was dropped before.
type Counts struct {
	Delivered  int64 `json:"delivered"`
	Expired    int64 `json:"expired"`
	Failed     int64 `json:"failed"`
	Cancelled  int64 `json:"cancelled"`
	Duplicates int64 `json:"duplicates"`
	Rejected   int64 `json:"rejected"`
}

// Ended is how one order ended.
type Ended struct {
	Order    string    `json:"order"`
	What     string    `json:"what"`
	End      End       `json:"end"`
	At       time.Time `json:"at"`
	Attempts int       `json:"attempts"`
	Text     string    `json:"text,omitempty"`
}

// upgrade brings a state written by an older build to the present form.
func upgrade(state *State) {
	state.Version = stateVersion

	if state.Counters == nil {
		state.Counters = map[int]int64{}
	}
}
