// Package policy holds what a conversation follows: durations and rules
// ([Policy]), business hours ([Hours]), connected accounts ([Source]), and all
// of them together ([Book]).
//
// A conversation takes one [Snapshot] of the book, which is recorded in its
// history as JSON; from then on only the snapshot counts. So everything that a
// snapshot offers is pure: it reads no clock, no environment and no file, and
// the rules of its time zone travel inside it.
//
// Field names and defaults are those of the configuration file; the struct tags
// yaml and desc are read by the program that loads and shows that file.
package policy
