// Package inbox is the durable record of every accepted webhook, in front of
// Temporal (design, section 6). What [Inbox.Accept] has answered is on disk; from
// there the inbox forwards it, in order per conversation and in batches, and
// whatever is killed meanwhile goes out again at the next start: numbers that
// only ascend make repetitions harmless.
//
// # How it writes
//
// One goroutine writes, everything that waits in one transaction. A row of
// inbox_events is written once. Where an event stands follows from little else:
// forwarded if its seq is at or below the number in inbox_ends, pending above
// it, unless inbox_states says otherwise. So an event on its usual way costs one
// row, and the progress of all of them is one number that rides along with the
// next commit. Losing it costs a repetition.
//
// # What it remembers
//
// Duplicates are found in memory, in a bounded set of ids per conversation that
// is read from disk when a conversation comes up. Events stay in memory until
// they are forwarded as far as a budget goes, and are read again beyond it.
package inbox
