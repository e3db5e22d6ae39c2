// Package tests holds what is tested from outside: the real binary, over HTTP,
// through a real Temporal server, with processes that are killed.
//
// The folder scenarios holds the rules of the lifecycle as readable files,
// histories the recorded runs that every build must replay, and load the
// program that measures.
package tests
