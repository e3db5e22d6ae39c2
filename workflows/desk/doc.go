// Package desk decides who gets which conversation, and runs it: one workflow
// per desk.
//
// [Machine] is the pure half: it takes conversations' statements, what is said of
// agents, and the time; it keeps the waiting order, the slots and what was
// measured in a bounded [State]; and it decides what conversations are told, as
// data. [Workflows] is the Temporal half around it.
//
// Conversations make statements about the whole ("I need an agent", "smith has
// me", "I need nothing"), numbered per session, and the desk keeps the newest of
// each. So a statement that is repeated, reordered or lost does no harm: what the
// desk doubts it asks for again.
package desk
