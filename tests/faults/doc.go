// Package faults holds the promise of Parley against the real program while it
// is killed, cut off from Temporal, out of disk space and misled about the time:
// a webhook answered with 2xx is never lost and never applied twice, and every
// deadline fires once.
//
// Its tests build cmd/parley with the tag faults, start it with its embedded
// Temporal server, and post webhooks over HTTP as platforms do: again after an
// answer that did not come, several times at once, in any order. A model keeps
// what was answered. It is the judge: what was answered with 2xx must be there
// exactly once, whatever else was sent at most once; applied, late and ignored
// must add up to accepted; every session has one run and one ticket; every clock
// that came due has fired once, and each notice came under one id, whatever its
// receiver answered.
//
// Three scenarios have a desk give conversations to agents, who accept, decline,
// stay silent, go and come back, while visitors write, leave, return within the
// grace of a close, and end: the program is killed at the moments around an
// invitation, Temporal is stopped and killed, conversations and the desk are
// terminated. Once all is quiet every conversation and the desk name the same
// agent, nobody waits while an agent is free, and all that escalated is served and
// ends with a ticket. The histories tell the rest: no agent was invited to, or
// had, more conversations than slots, nobody was invited twice in one round, each
// invitation ended once and not before its time, and whoever was told to have a
// conversation was invited and had it.
//
// The short form is part of the ordinary tests and takes two to three minutes:
//
//	go test ./tests/faults
//
// The long form repeats all of it with other timings for as long as it is told:
//
//	go test ./tests/faults -v -count=1 -timeout 0 -duration 30m
//
// A run prints its seed, what it did, and the counts. -seed repeats its choices
// (not the scheduling of the machine), -only names scenarios, separated by
// commas, and -keep leaves the data directories of failed ones behind.
//
// The scenario disk needs a mount namespace with a small tmpfs: root, or a
// kernel that gives user namespaces to everybody. Where neither is to be had,
// it fails.
package faults
