package trace

import (
	"fmt"

	"github.com/parleyhq/parley/signals"
)

// slots follows who has what through a desk's messages alone, whatever the desk
// itself believes: an invitation takes a slot, and the conversation's next
// statement keeps it or gives it up.
type slots struct {
	desk *Desk
	// holders are the agents who have a slot for a conversation.
	holders map[signals.Key]string
	load    map[string]int
	// newest is the newest statement of each conversation; repeats and what is
	// older say nothing new.
	newest map[signals.Key]statement
}

type statement struct {
	session int
	number  int64
}

func newSlots(desk *Desk) *slots {
	return &slots{
		desk: desk, holders: make(map[signals.Key]string), load: make(map[string]int), newest: make(map[signals.Key]statement),
	}
}

func (s *slots) asked(ask *signals.Ask) {
	known := s.newest[ask.Key]
	if ask.Session < known.session || ask.Session == known.session && ask.Number <= known.number {
		return
	}

	s.newest[ask.Key] = statement{session: ask.Session, number: ask.Number}

	// An agent who took it is a fact, offered or not.
	if ask.Kind == signals.AskAccepted && s.holders[ask.Key] == ask.Agent {
		return
	}

	s.free(ask.Key)

	if ask.Kind == signals.AskAccepted {
		s.give(ask.Key, ask.Agent)
	}
}

func (s *slots) offered(key signals.Key, agent string) {
	holder, taken := s.holders[key]
	if taken && holder == agent {
		return // said again
	}

	if taken {
		s.desk.Twice = append(s.desk.Twice, fmt.Sprintf("%s: offered to %s while %s has it", key, agent, holder))
		s.free(key)
	}

	s.give(key, agent)
}

func (s *slots) give(key signals.Key, agent string) {
	s.holders[key] = agent
	s.load[agent]++
	s.desk.Most[agent] = max(s.desk.Most[agent], s.load[agent])
}

func (s *slots) free(key signals.Key) {
	if agent, taken := s.holders[key]; taken {
		s.load[agent]--
		delete(s.holders, key)
	}
}
