package stats

import "time"

// Schedule says when each request of a fixed offered rate is due, whatever
// became of the ones before it. Latencies counted from there contain the time
// that a request waited for a slow one, which a closed loop omits.
type Schedule struct {
	// Begin is when request 0 is due.
	Begin time.Time
	// Rate is in requests per second.
	Rate float64
}

// Due is when request n is due. It is computed from the beginning, so that
// rounding does not add up.
func (s Schedule) Due(n int) time.Time {
	return s.Begin.Add(time.Duration(float64(n) / s.Rate * float64(time.Second)))
}

// Interleaving is the order in which the events of many conversations are due:
// Width conversations go on side by side, one event of each in turn, and when
// they are done the next ones follow.
type Interleaving struct {
	Conversations, Events, Width int
}

// Place is the number of a conversation's event in the whole order.
func (o Interleaving) Place(conversation, event int) int {
	first := conversation / o.Width * o.Width
	beside := min(o.Width, o.Conversations-first)

	return first*o.Events + event*beside + conversation - first
}
