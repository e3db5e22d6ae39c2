//go:build faults

package main

import (
	"os"
	"strings"
	"time"
)

// faultClockVariable names a file that holds how far the gateway's clock is
// from the machine's, as a duration such as -1h. It may change at any time; a
// file that cannot be read means not at all.
const faultClockVariable = "PARLEY_FAULT_CLOCK_FILE"

// gatewayClock is the clock by which webhooks are received and kept.
func gatewayClock() func() time.Time {
	file := os.Getenv(faultClockVariable)
	if file == "" {
		return nil
	}

	return func() time.Time {
		text, err := os.ReadFile(file)
		if err != nil {
			return time.Now()
		}

		offset, err := time.ParseDuration(strings.TrimSpace(string(text)))
		if err != nil {
			return time.Now()
		}

		return time.Now().Add(offset)
	}
}
