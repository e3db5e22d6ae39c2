package desk

import (
	"math"
	"time"
)

const (
	// memory is how fast what was measured fades: after this time it weighs a
	// third.
	memory = 30 * time.Minute
	// usualHandle is believed until something was measured, and weighs as much as
	// one conversation ever after.
	usualHandle = 10 * time.Minute
	// newest is the weight of the newest of many.
	newest = 0.05
	// spread is how much longer than those under way have lasted a conversation
	// is believed to last at most, as long as few have ended.
	spread = 2
)

// measured is what a desk measures. Nothing is decided by it, so that a
// difference in the last digit between two machines does no harm.
type measured struct {
	// Began and At are the span of it.
	Began stamp `json:"began,omitempty"`
	At    stamp `json:"at,omitempty"`
	// Busy is for how many seconds slots were taken, Freed how many conversations
	// gave one back; both fade.
	Busy  float64 `json:"busy,omitempty"`
	Freed float64 `json:"freed,omitempty"`
	// Accept is from the first offer to the acceptance, in seconds.
	Accept  float64 `json:"accept,omitempty"`
	Accepts int64   `json:"accepts,omitempty"`
	// The waits that were estimated: by how much the estimates were wrong, with
	// and without the sign, and what was waited, in seconds.
	Estimates int64   `json:"estimates,omitempty"`
	Error     float64 `json:"error,omitempty"`
	Bias      float64 `json:"bias,omitempty"`
	Wait      float64 `json:"wait,omitempty"`

	// latest are the waits since the workflow last asked.
	latest []Wait
}

// Wait is one wait that ended with an agent.
type Wait struct {
	Waited time.Duration
	// Estimated tells whether there was an estimate, Off by how much it was wrong.
	Estimated bool
	Off       time.Duration
}

// advance brings what fades up to the present, and returns it.
func (m *Machine) advance(now time.Time) stamp {
	at := stampOf(now)
	measured := &m.measured

	if at <= measured.At {
		return measured.At
	}

	if measured.At > 0 {
		// What is taken now was taken all the while.
		left := math.Exp(-at.minus(measured.At).Seconds() / memory.Seconds())
		measured.Busy = measured.Busy*left + float64(m.busy)*memory.Seconds()*(1-left)
		measured.Freed *= left
	}

	measured.At = at

	return at
}

// freed notes that a conversation gave its slot back.
func (m *measured) freed() { m.Freed++ }

// handle is how long one conversation takes a slot, in seconds: the time that
// slots were taken by the number of those given back. That counts invitations
// that came to nothing, and is right also where the long ones are not over yet;
// but while next to none is over it knows only how long those under way have
// lasted.
func (m *Machine) handle() float64 {
	usual := usualHandle.Seconds()
	handle := (m.measured.Busy + usual) / (m.measured.Freed + 1)

	age := 0.0
	if m.busy > 0 {
		age = (m.measured.At - m.from/stamp(m.busy)).seconds()
	}

	return min(handle, max(usual, spread*age))
}

func (s stamp) seconds() float64 { return time.Duration(s * stamp(time.Millisecond)).Seconds() }

// perMinute is how many slots became free.
func (m *measured) perMinute() float64 {
	span := memory.Seconds() * (1 - math.Exp(-m.At.minus(m.Began).Seconds()/memory.Seconds()))
	if span <= 0 {
		return 0
	}

	return m.Freed / span * time.Minute.Seconds()
}

// unknown is the estimate where nobody accepts.
const unknown = -1

// estimate is how long somebody waits who has so many ahead in line for the
// same agents: until enough slots were given back, and until one accepts.
func (m *Machine) estimate(of *class, ahead int, at stamp) time.Duration {
	slots, free := 0, 0

	for _, a := range of.agents {
		if !a.accepts() {
			continue
		}

		slots += a.Slots
		if a.hasRoom(at) {
			free += a.Slots - len(a.has)
		}
	}

	if slots == 0 {
		return unknown
	}

	wait := m.measured.Accept

	if turn := ahead + 1 - free; turn > 0 {
		wait += float64(turn) * (m.handle() + m.Under.Wrapup.Std().Seconds()) / float64(slots)
	}

	return time.Duration(wait * float64(time.Second)).Truncate(time.Millisecond)
}

// crowd counts those in line by the agents whom they wait for.
type crowd struct {
	classes []*class
	counts  []int
}

func (c *crowd) add(of *class) {
	for i := range c.classes {
		if c.classes[i] == of {
			c.counts[i]++

			return
		}
	}

	c.classes, c.counts = append(c.classes, of), append(c.counts, 1)
}

// of counts those who compete for any of the same agents.
func (c *crowd) of(class *class) int {
	sum := 0

	for i, other := range c.classes {
		if other == class || other.meets(class) {
			sum += c.counts[i]
		}
	}

	return sum
}

// stand returns a talk's place among those who compete for the same agents, from
// 1, and how long it will wait, [unknown] if nobody knows.
func (m *Machine) stand(t *talk, at stamp) (int, time.Duration) {
	of := m.classFor(t, at)
	position := 1

	for _, other := range m.line.list {
		if other == t {
			break
		}

		if class := m.classFor(other, at); class == of || class.meets(of) {
			position++
		}
	}

	return position, m.openWait(m.estimate(of, position-1, at), at)
}

// openWait is an estimate, unknown while the desk is closed.
func (m *Machine) openWait(estimate time.Duration, at stamp) time.Duration {
	if !m.Under.Hours.Open(at.time()) {
		return unknown
	}

	return estimate
}

// guess estimates the wait of somebody who has just come.
func (m *Machine) guess(t *talk, ahead *crowd, open bool, at stamp) {
	if t.Guess != 0 {
		return
	}

	t.Guess = -1

	if wait := m.estimate(m.classFor(t, at), ahead.of(m.classFor(t, at)), at); open && wait != unknown {
		t.Guess = wait.Milliseconds() + 1
	}
}

// measureWait takes in that a wait ended with an agent.
func (m *Machine) measureWait(t *talk, at stamp) {
	if t.Asked == 0 {
		return
	}

	measured := &m.measured
	waited := at.minus(t.Asked)
	done := Wait{Waited: waited}

	if t.First > 0 {
		measured.Accepts++
		measured.Accept += (at.minus(t.First).Seconds() - measured.Accept) * weight(measured.Accepts)
	}

	if t.Guess > 0 {
		done.Estimated, done.Off = true, time.Duration(t.Guess-1)*time.Millisecond-waited
		measured.Estimates++
		part := weight(measured.Estimates)
		measured.Error += (math.Abs(done.Off.Seconds()) - measured.Error) * part
		measured.Bias += (done.Off.Seconds() - measured.Bias) * part
		measured.Wait += (waited.Seconds() - measured.Wait) * part
	}

	// The workflow asks after each batch; nobody else need.
	if len(measured.latest) < maxTalks {
		measured.latest = append(measured.latest, done)
	}
}

// weight makes the first few count alike.
func weight(n int64) float64 { return max(1/float64(n), newest) }

// TakeWaits returns the waits that ended since it was last asked, for metrics.
func (m *Machine) TakeWaits() []Wait {
	waits := m.measured.latest
	m.measured.latest = nil

	return waits
}
