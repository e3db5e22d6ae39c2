// Package tests holds what is tested from outside: the real binary, over HTTP,
// through a real Temporal server, with processes that are killed.
//
// The folder scenarios holds the rules of the lifecycle as readable files,
// histories the recorded runs that every build must replay, and load the
// program that measures.
//
// The histories are recorded anew, on a real server, by
//
//	go test ./tests -run 'TestRecord$' -record
//
// and one of them by 'TestRecord$/^lifecycle$'. A released version's histories
// are never recorded anew: whoever was open at the upgrade has such a history,
// and a build that cannot replay it needs another version of the machine's rules.
package tests
