package scenarios_test

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// pass lets time pass, with every clock on time and no letter older than a
// minute.
func (f *fleet) pass(d time.Duration) {
	to := f.now.Add(d)

	for range 2000 {
		for n := 0; n < len(f.mail); {
			if f.quiet || f.now.Sub(f.mail[n].sent) >= time.Minute {
				before := len(f.mail)
				f.deliver(n)

				if len(f.mail) < before {
					n = 0
				}

				continue
			}

			n++
		}

		if f.quiet {
			f.helpful()

			if len(f.mail) > 0 {
				continue
			}
		}

		next := to
		for _, l := range f.mail {
			next = earlier(next, l.sent.Add(time.Minute))
		}

		for _, c := range f.chats() {
			if due, ok := clockOf(c); ok {
				next = earlier(next, due)
			}
		}

		for _, name := range f.names() {
			if due, _, ok := f.desks[name].NextDeadline(f.now); ok {
				next = earlier(next, due)
			}
		}

		if next.After(f.now) {
			f.now = next
		}

		for _, c := range f.chats() {
			if due, ok := clockOf(c); ok && !due.After(f.now) {
				c.machine.Tick(f.now)
				f.collect(c)
			}
		}

		for _, name := range f.names() {
			f.desks[name].Tick(f.now)
			f.empty(name)
		}

		if !f.now.Before(to) && !(f.quiet && len(f.mail) > 0) {
			return
		}
	}

	require.FailNow(f, "no end", "%s", f.log())
}

func clockOf(c *chat) (time.Time, bool) {
	if !c.runs() {
		return time.Time{}, false
	}

	due, ok := c.machine.NextDeadline()

	return due.Due, ok
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}

	return a
}

// helpful lets everybody who is asked accept, and everybody who owes an answer
// give it.
func (f *fleet) helpful() {
	for _, c := range f.chats() {
		if !c.runs() {
			continue
		}

		view := c.machine.View("", false)

		if view.Offered != "" && view.Offered != f.silent {
			f.command(c, signals.AcceptUpdate, signals.Command{AgentID: view.Offered})
		}

		if view.Agent != "" && view.Agent != f.silent && view.Unreplied {
			f.named(view.Agent, func() { f.apply(c, signals.MessageReceived, view.Agent, nil) })
		}
	}
}
