// Package delivery brings what a conversation decided to one target: a
// notice to a channel, a ticket to a ticket system, a command to a chat
// platform. One run per target and conversation keeps their order, retries for
// hours in plain sight, and carries on when the conversation is done.
//
// [Machine] decides and is pure; [Workflow] is the thin shell around it that
// speaks Temporal.
package delivery
