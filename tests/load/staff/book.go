package staff

import (
	"errors"
	"fmt"
	"sync"
)

// ErrTwice says that a slot, or a conversation, was given to two.
var ErrTwice = errors.New("given twice")

// Book is who has what, as the agents themselves know it. It may be used by many
// goroutines.
type Book struct {
	slots int

	mu   sync.Mutex
	load map[string]int
	// holders are the agents of conversations that were ever taken.
	holders map[string]string
	most    int
}

// NewBook returns the book of agents with so many slots each.
func NewBook(slots int) *Book {
	return &Book{slots: slots, load: make(map[string]int), holders: make(map[string]string)}
}

// Take notes that a conversation was offered to an agent, who takes it. It is
// false for one that the agent has taken before, and [ErrTwice] if another agent
// has, or if the agent has no slot free.
func (b *Book) Take(conversation, agent string) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()

	switch holder, known := b.holders[conversation]; {
	case known && holder == agent:
		return false, nil
	case known:
		return false, fmt.Errorf("%w: %s was %s's and is offered to %s", ErrTwice, conversation, holder, agent)
	case b.load[agent] >= b.slots:
		return false, fmt.Errorf("%w: %s has %d conversations and is offered %s, too", ErrTwice, agent, b.load[agent], conversation)
	}

	b.holders[conversation] = agent
	b.load[agent]++
	b.most = max(b.most, b.load[agent])

	return true, nil
}

// Leave notes that an agent is done with a conversation. Say so before anybody
// else is told.
func (b *Book) Leave(agent string) {
	b.mu.Lock()
	defer b.mu.Unlock()

	b.load[agent]--
}

// Holder is the agent who took a conversation, empty for none.
func (b *Book) Holder(conversation string) string {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.holders[conversation]
}

// Taken is how many conversations were taken.
func (b *Book) Taken() int {
	b.mu.Lock()
	defer b.mu.Unlock()

	return len(b.holders)
}

// Most is the most that an agent had at a time.
func (b *Book) Most() int {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.most
}
