package inbox

// ring hands out lanes in turn over their sources, so that a flood from one
// source holds up none of the others; within a source in turn those that are
// going and those that begin, so that a flood of new conversations holds up none
// that somebody has; of each the longest ready goes first.
type ring struct {
	sources map[string]*turn
	// order has the sources that have any, the next one first.
	order []*turn
	lanes int
}

// turn is the line of one source.
type turn struct {
	source string
	// lines of those that begin, and of those that are going.
	lines [2][]*lane
	// next is the line whose turn it is.
	next int
}

// line is the index in turn.lines.
func (way *lane) line() int {
	if way.going {
		return 1
	}

	return 0
}

// pop returns the next lane; there must be one.
func (t *turn) pop() *lane {
	if len(t.lines[t.next]) == 0 {
		t.next = 1 - t.next
	}

	line := t.lines[t.next]
	way := line[0]
	line[0], t.lines[t.next] = nil, line[1:]
	t.next = 1 - t.next

	return way
}

func newRing() ring { return ring{sources: make(map[string]*turn)} }

func (r *ring) len() int { return r.lanes }

func (r *ring) push(way *lane) {
	t, ok := r.sources[way.key.Source]
	if !ok {
		t = &turn{source: way.key.Source}
		r.sources[way.key.Source] = t
		r.order = append(r.order, t)
	}

	t.lines[way.line()] = append(t.lines[way.line()], way)
	r.lanes++
}

// pop returns the next lane; there must be one.
func (r *ring) pop() *lane {
	t := r.order[0]
	way := t.pop()
	r.order[0], r.order = nil, r.order[1:]
	r.lanes--

	if len(t.lines[0])+len(t.lines[1]) > 0 {
		r.order = append(r.order, t)
	} else {
		delete(r.sources, t.source)
	}

	return way
}
