package faults_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// answer is what the model knows about a webhook and the events in it.
type answer int

const (
	// unsent: no attempt reached the program.
	unsent answer = iota
	// unknown: an attempt was refused or not answered. It may have been taken.
	unknown
	// accepted: an attempt was answered with 2xx.
	accepted
)

// kind is where an event shows once it is applied.
type kind int

const (
	// spoken stands in the ticket's transcript, by its text.
	spoken kind = iota
	// silent stands in the archive and in the counts only.
	silent
	// volatile need not be kept: typing that says nothing new.
	volatile
	// account belongs to no conversation.
	account
)

// fact is one event as the model knows it.
type fact struct {
	key  signals.Key
	kind kind
	// id is empty where Parley has to derive one.
	id string
	// text is found nowhere else.
	text  string
	event signals.Event

	state answer
}

// hook is one webhook: what is sent again is sent byte by byte.
type hook struct {
	source string
	body   []byte
	facts  []*fact
	// must be sent until it is accepted: what comes later builds on it.
	must bool
	// state is the best answer to any attempt.
	state answer
}

// ledger is the model of what was sent and what was answered.
type ledger struct {
	mu    sync.Mutex
	facts map[signals.Key][]*fact
	keys  []signals.Key
}

func newLedger() *ledger { return &ledger{facts: make(map[signals.Key][]*fact)} }

// hookOf makes one webhook of events, which the ledger remembers.
func (l *ledger) hookOf(t *testing.T, source string, facts ...*fact) *hook {
	t.Helper()

	events := make([]signals.Event, 0, len(facts))
	for _, f := range facts {
		events = append(events, f.event)
	}

	var (
		body []byte
		err  error
	)

	if len(events) == 1 {
		body, err = json.Marshal(events[0])
	} else {
		body, err = json.Marshal(events)
	}

	require.NoError(t, err)

	l.mu.Lock()
	defer l.mu.Unlock()

	for _, f := range facts {
		if l.facts[f.key] == nil {
			l.keys = append(l.keys, f.key)
		}

		l.facts[f.key] = append(l.facts[f.key], f)
	}

	return &hook{source: source, body: body, facts: facts}
}

// note enters the answer to an attempt. What was accepted once stays so.
func (l *ledger) note(h *hook, got answer) {
	l.mu.Lock()
	defer l.mu.Unlock()

	h.state = max(h.state, got)

	for _, f := range h.facts {
		f.state = max(f.state, got)
	}
}

// took reports whether a webhook was answered with 2xx before.
func (l *ledger) took(h *hook) bool {
	l.mu.Lock()
	defer l.mu.Unlock()

	return h.state == accepted
}

// conversations returns the keys of everything that was sent, account logs aside.
func (l *ledger) conversations() []signals.Key {
	l.mu.Lock()
	defer l.mu.Unlock()

	var keys []signals.Key

	for _, key := range l.keys {
		if key.Conversation != "" {
			keys = append(keys, key)
		}
	}

	return keys
}

// of returns what was sent to a conversation.
func (l *ledger) of(key signals.Key) []*fact {
	l.mu.Lock()
	defer l.mu.Unlock()

	return append([]*fact(nil), l.facts[key]...)
}

// tally counts facts by what is known about them.
type tally struct{ accepted, unknown, volatile int64 }

func count(facts []*fact) tally {
	var sum tally

	for _, f := range facts {
		switch {
		case f.state == unsent:
		case f.kind == volatile:
			sum.volatile++
		case f.state == accepted:
			sum.accepted++
		default:
			sum.unknown++
		}
	}

	return sum
}

func (t tally) String() string {
	return fmt.Sprintf("%d answered with 2xx, %d not, %d of no account", t.accepted, t.unknown, t.volatile)
}
