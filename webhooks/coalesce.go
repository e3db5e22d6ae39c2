package webhooks

import (
	"container/list"
	"crypto/sha256"
	"maps"
	"sync"
	"time"

	"github.com/parleyhq/parley/signals"
)

const (
	// coalesceWindow is how long the same keystroke is no news. Platforms repeat
	// typing every second or so, and what a conversation does with it (pausing a
	// clock) is measured in tens of seconds.
	coalesceWindow = 5 * time.Second
	// coalesceCapacity bounds the conversations that are remembered, and
	// coalesceTypists the people in each; an entry takes about 300 bytes.
	coalesceCapacity = 16 << 10
	coalesceTypists  = 16
)

// coalescer leaves out typing and previews that say what the last accepted ones
// said already. It remembers only what is on disk, and forgets a conversation's
// keystrokes with every other event of it: after a message the same typing is
// news again.
type coalescer struct {
	mu    sync.Mutex
	byKey map[signals.Key]*list.Element
	// order holds *keyboard, the one used last in front.
	order    *list.List
	capacity int
}

// keyboard is what was accepted last of one conversation's keystrokes.
type keyboard struct {
	key  signals.Key
	said map[typist]keystroke
	// open counts the webhooks on their way to the disk; mixed says that there
	// were two at a time, so that nobody knows which came last.
	open  int
	mixed bool
}

// typist is somebody who types, for one audience.
type typist struct {
	kind       signals.Type
	actor      signals.Actor
	visibility signals.Visibility
}

// keystroke is what somebody's typing or preview says.
type keystroke struct {
	on         bool
	text       [sha256.Size]byte
	thread     string
	escalation string
	at         time.Time
}

// same reports whether a keystroke at now says what the last one did.
func (k keystroke) same(last keystroke, now time.Time) bool {
	age := now.Sub(last.at)
	last.at = k.at

	return k == last && age >= 0 && age < coalesceWindow
}

func newCoalescer(capacity int) *coalescer {
	return &coalescer{byKey: make(map[signals.Key]*list.Element), order: list.New(), capacity: capacity}
}

// turn is one webhook's part: what it says about the keyboards that it touches.
type turn struct {
	owner  *coalescer
	boards map[*keyboard]*change
	// others are conversations with another event in the webhook.
	others []signals.Key
}

// change is what a keyboard has said once the webhook is on disk.
type change struct {
	said map[typist]keystroke
	// cleared says that another event of the conversation came before them.
	cleared bool
}

// begin returns the events that are news, in order, and the turn that must be
// ended once they are on disk or refused.
func (c *coalescer) begin(events []signals.Event, now time.Time) ([]signals.Event, *turn) {
	c.mu.Lock()
	defer c.mu.Unlock()

	mine := &turn{owner: c}
	news := make([]signals.Event, 0, len(events))

	for i := range events {
		key := signals.Key{Source: events[i].Source, Conversation: events[i].Conversation}
		who, stroke, types := keystrokeOf(&events[i], now)

		switch {
		case types && mine.repeats(c.keyboard(key), who, stroke, now):
			continue
		case !types && key.Conversation != "":
			mine.interrupt(key)
		}

		news = append(news, events[i])
	}

	return news, mine
}

// keystrokeOf reads a typing or preview event of a conversation.
func keystrokeOf(event *signals.Event, now time.Time) (typist, keystroke, bool) {
	who, stroke := typist{kind: event.Type}, keystroke{thread: event.Thread, at: now}
	if event.Actor != nil {
		who.actor = *event.Actor
	}

	switch {
	case event.Conversation == "":
		return who, stroke, false
	case event.Type == signals.TypingChanged && event.Typing != nil:
		who.visibility, stroke.on, stroke.escalation = event.Typing.Visibility, event.Typing.On, event.Typing.EscalationID
	case event.Type == signals.MessagePreview && event.Preview != nil:
		who.visibility, stroke.text = event.Preview.Visibility, sha256.Sum256([]byte(event.Preview.Text))
	default:
		return who, stroke, false
	}

	return who, stroke, true
}

// known returns a conversation's keyboard if it has one.
func (c *coalescer) known(key signals.Key) *keyboard {
	element, ok := c.byKey[key]
	if !ok {
		return nil
	}

	board, _ := element.Value.(*keyboard)

	return board
}

// keyboard returns a conversation's keyboard, as the one used last.
func (c *coalescer) keyboard(key signals.Key) *keyboard {
	if board := c.known(key); board != nil {
		c.order.MoveToFront(c.byKey[key])

		return board
	}

	c.forget(c.capacity - 1)

	board := &keyboard{key: key}
	c.byKey[key] = c.order.PushFront(board)

	return board
}

// forget drops the keyboards used longest ago until so many are left. Those of
// webhooks on their way stay: their next keystroke must meet them.
func (c *coalescer) forget(left int) {
	for element := c.order.Back(); element != nil && c.order.Len() > left; {
		older := element.Prev()

		if board, ok := element.Value.(*keyboard); ok && board.open == 0 {
			c.order.Remove(element)
			delete(c.byKey, board.key)
		}

		element = older
	}
}

// touch returns what this webhook says about a keyboard.
func (t *turn) touch(board *keyboard) *change {
	if mine, ok := t.boards[board]; ok {
		return mine
	}

	board.mixed = board.mixed || board.open > 0
	board.open++

	if t.boards == nil {
		t.boards = make(map[*keyboard]*change)
	}

	mine := &change{said: make(map[typist]keystroke)}
	t.boards[board] = mine

	return mine
}

// repeats reports whether a keystroke is no news, and notes it if it is.
func (t *turn) repeats(board *keyboard, who typist, stroke keystroke, now time.Time) bool {
	mine := t.touch(board)

	last, known := mine.said[who]
	if !known && !mine.cleared && !board.mixed {
		last, known = board.said[who]
	}

	if known && stroke.same(last, now) {
		return true
	}

	mine.said[who] = stroke

	return false
}

// interrupt notes another event of a conversation.
func (t *turn) interrupt(key signals.Key) {
	if last := len(t.others) - 1; last < 0 || t.others[last] != key {
		t.others = append(t.others, key)
	}

	board := t.owner.known(key)
	if board == nil {
		return
	}

	mine := t.touch(board)
	mine.cleared = true
	clear(mine.said)
}

// end says whether the news are on disk. Where they are not, or where two
// webhooks of one conversation were on their way at once, nothing is taken as
// said.
func (t *turn) end(accepted bool) {
	t.owner.mu.Lock()
	defer t.owner.mu.Unlock()

	for _, key := range t.others {
		// It may have got its keyboard since the webhook began.
		if board := t.owner.known(key); board != nil && t.boards[board] == nil {
			board.said, board.mixed = nil, board.open > 0
		}
	}

	for board, mine := range t.boards {
		board.open--
		board.keep(mine, accepted)

		if board.open == 0 {
			board.mixed = false
		}
	}
}

func (b *keyboard) keep(mine *change, accepted bool) {
	if len(mine.said) == 0 && !mine.cleared {
		return // all of it was said before
	}

	if mine.cleared || b.mixed || !accepted || len(b.said)+len(mine.said) > coalesceTypists {
		b.said = nil
	}

	if b.mixed || !accepted || len(mine.said) > coalesceTypists {
		return
	}

	if b.said == nil {
		b.said = mine.said

		return
	}

	maps.Copy(b.said, mine.said)
}
