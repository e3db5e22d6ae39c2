package answers

import (
	"context"
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
)

const (
	// hopsFor is how long it is remembered whom a platform was told: it asks for the
	// next agent as soon as an invitation came to nothing.
	hopsFor = 10 * time.Minute
	// maxHops bounds those who are remembered of one conversation.
	maxHops = 50
)

// hops is whom a platform was told for a conversation that nobody has taken yet,
// one request after the other, the newest last.
type hops struct {
	list []hop
	at   time.Time
}

// hop is one request and its answer.
type hop struct{ event, agent string }

// to is the answer to a request, "" where it had none.
func (h *hops) to(event string) string {
	for i := range h.list {
		if h.list[i].event == event {
			return h.list[i].agent
		}
	}

	return ""
}

func (h *hops) agents() []string {
	if len(h.list) == 0 {
		return nil
	}

	agents := make([]string, len(h.list))
	for i := range h.list {
		agents[i] = h.list[i].agent
	}

	return agents
}

// and is what is remembered after one more. Who is told a second time begins the
// sequence again.
func (h *hops) and(next hop, at time.Time) hops {
	list := h.list
	if slices.ContainsFunc(list, func(was hop) bool { return was.agent == next.agent }) {
		list = nil
	}

	list = append(slices.Clone(list), next)

	return hops{list: list[max(0, len(list)-maxHops):], at: at}
}

// choose is "" where nobody can be had. A repetition of a request has its answer;
// each new one says that the one before came to nothing.
func (f *Finder) choose(ctx context.Context, q *Query) string {
	if !f.config.Desks.Known(q.Desk) {
		return ""
	}

	was, _ := f.hops.get(q.Key)
	if time.Since(was.at) > hopsFor {
		was = hops{}
	}

	if again := was.to(q.Event); !q.Fresh && q.offers(again) {
		return again
	}

	id, err := f.gatherer.choose(ctx, q.Desk, signals.ChoiceAsk{Key: q.Key, Candidates: q.Ask.Candidates, Named: was.agents()})
	if err != nil {
		f.silent(ctx, q, err)

		return ""
	}

	if !q.offers(id) {
		return ""
	}

	f.hops.put(q.Key, was.and(hop{event: q.Event, agent: id}, time.Now()))

	return id
}

// offers reports whether the platform names the agent, and thus takes that one for
// an answer.
func (q *Query) offers(agent string) bool {
	return agent != "" && slices.ContainsFunc(q.Ask.Candidates, func(c signals.Candidate) bool { return c.AgentID == agent })
}

// Heard takes in what was accepted: see [Finder.Taken].
func (f *Finder) Heard(events []signals.Event) {
	for i := range events {
		switch event := &events[i]; event.Type { //nolint:exhaustive // the others change nothing of it
		case signals.AgentAccepted, signals.AgentAssigned, signals.ConversationClosed:
			f.Taken(signals.Key{Source: event.Source, Conversation: event.Conversation})
		}
	}
}

// Taken says that somebody has a conversation, or that it is over: whom its
// platform was told before does not matter any more.
func (f *Finder) Taken(key signals.Key) { f.hops.drop(key) }
