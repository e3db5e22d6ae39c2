package inbox

// ring hands out lanes in turn over their sources, so that a flood from one
// source holds up none of the others; within a source the longest ready goes
// first.
type ring struct {
	sources map[string]*turn
	// order has the sources that have any, the next one first.
	order []*turn
	lanes int
}

// turn is the line of one source.
type turn struct {
	source string
	lanes  []*lane
}

func newRing() ring { return ring{sources: make(map[string]*turn)} }

func (r *ring) len() int { return r.lanes }

func (r *ring) push(way *lane) {
	line, ok := r.sources[way.key.Source]
	if !ok {
		line = &turn{source: way.key.Source}
		r.sources[way.key.Source] = line
		r.order = append(r.order, line)
	}

	line.lanes = append(line.lanes, way)
	r.lanes++
}

// pop returns the next lane; there must be one.
func (r *ring) pop() *lane {
	line := r.order[0]
	way := line.lanes[0]
	line.lanes[0], line.lanes = nil, line.lanes[1:]
	r.order[0], r.order = nil, r.order[1:]
	r.lanes--

	if len(line.lanes) > 0 {
		r.order = append(r.order, line)
	} else {
		delete(r.sources, line.source)
	}

	return way
}
