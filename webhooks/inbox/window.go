package inbox

// wordBits is how many seqs one word of a window holds.
const wordBits = 64

// window knows which seqs are settled: all up to one, and some above it.
type window struct {
	// settled: everything at or below it is.
	settled int64
	// head is the highest seq that was handed out.
	head int64
	// open counts those between the two that are not settled.
	open int
	// words has a bit for each seq from first on, set where it is settled.
	words []uint64
	first int64
}

func newWindow(settled int64) window {
	return window{settled: settled, head: settled, first: settled - settled%wordBits}
}

// hand makes every seq up to head known, as not settled.
func (w *window) hand(head int64) {
	if head <= w.head {
		return
	}

	w.open += int(head - w.head)
	w.head = head

	for w.first+int64(len(w.words))*wordBits <= head {
		w.words = append(w.words, 0)
	}
}

// done settles one seq.
func (w *window) done(seq int64) {
	if seq <= w.settled || seq > w.head {
		return
	}

	word, bit := (seq-w.first)/wordBits, uint64(1)<<((seq-w.first)%wordBits)
	if w.words[word]&bit != 0 {
		return
	}

	w.words[word] |= bit
	w.open--

	if seq == w.settled+1 {
		w.advance()
	}
}

func (w *window) advance() {
	for w.settled < w.head && w.has(w.settled+1) {
		w.settled++
	}

	if full := (w.settled + 1 - w.first) / wordBits; full > 0 {
		full = min(full, int64(len(w.words)))
		w.words = w.words[full:]
		w.first += full * wordBits
	}
}

// has reports whether a seq above settled is settled, too.
func (w *window) has(seq int64) bool {
	at := seq - w.first

	return w.words[at/wordBits]&(1<<(at%wordBits)) != 0
}

// scattered counts the settled ones above the gap.
func (w *window) scattered() int64 { return w.head - w.settled - int64(w.open) }
