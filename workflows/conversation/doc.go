// Package conversation decides what happens in one conversation, and runs it.
//
// [Machine] is the pure half: it takes canonical events and the time, keeps what
// they say in a bounded [State], and decides what leaves the conversation, as
// data. [Workflows] is the Temporal half around it: it takes signals in, answers
// queries and updates, keeps one timer for the nearest deadline, and hands what
// is decided to the dispatch activity.
package conversation
