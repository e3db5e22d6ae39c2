// Package inbox keeps on disk what Temporal does not have: events that wait for
// a conversation to start, events that came too late for theirs, the account
// log of every source, and what was counted per source.
//
// It is the courier's keeper. A method that changes something returns once the
// change is on disk (synchronous=FULL); only the counts per source are written
// now and then, so that a crash may cost the newest of them.
package inbox
