//go:build !faults

package main

import "time"

// gatewayClock is the clock by which webhooks are received and kept; nil means
// the machine's own. Only a program built for fault tests has another.
func gatewayClock() func() time.Time { return nil }
