package inbox

import (
	"slices"
	"time"

	"github.com/uber-go/tally/v4"
)

const (
	// rateSpan is over what rates are the mean, in seconds.
	rateSpan = 60
	// lately is how many of the newest batches quantiles are made of.
	lately = 512
)

// rate counts per second over the last minute.
type rate struct {
	begun int64
	// counts of the seconds, by second modulo their number.
	counts [rateSpan]int64
	last   int64
}

func (r *rate) add(now time.Time, n int) {
	r.turn(now)
	r.counts[r.last%rateSpan] += int64(n)
}

// turn empties the seconds that went by.
func (r *rate) turn(now time.Time) {
	second := now.Unix()
	if second <= r.last {
		return
	}

	for gone := max(r.last+1, second-rateSpan+1); gone <= second; gone++ {
		r.counts[gone%rateSpan] = 0
	}

	r.last = second
}

func (r *rate) perSecond(now time.Time) float64 {
	r.turn(now)

	total := int64(0)
	for _, n := range r.counts {
		total += n
	}

	return float64(total) / float64(min(rateSpan, max(1, r.last-r.begun+1)))
}

// sizes keeps the newest batches.
type sizes struct {
	list [lately]int32
	n    int
}

func (s *sizes) add(size int) {
	s.list[s.n%lately] = int32(min(size, 1<<30)) //nolint:gosec // bounded
	s.n++
}

func (s *sizes) quantiles() BatchSizes {
	list := slices.Clone(s.list[:min(s.n, lately)])
	if len(list) == 0 {
		return BatchSizes{}
	}

	slices.Sort(list)

	at := func(percent int) int { return int(list[(len(list)-1)*percent/100]) }

	return BatchSizes{P50: at(50), P95: at(95), Max: at(100)} //nolint:mnd // their names
}

// meters are what [Inbox.Report] shows. The inbox's mu guards them.
type meters struct {
	in, out        rate
	commit, signal sizes
}

func newMeters(now time.Time) meters {
	second := now.Unix()
	begun := rate{begun: second, last: second}

	return meters{in: begun, out: begun}
}

func (m *meters) committed(now time.Time, events int) {
	m.in.add(now, events)
	m.commit.add(events)
}

func (m *meters) forwarded(now time.Time, events, batch int) {
	m.out.add(now, events)
	m.signal.add(batch)
}

// metrics are what Prometheus sees.
type metrics struct {
	scope          tally.Scope
	commit, signal tally.Histogram
	dead, failures tally.Counter
	oldest         tally.Gauge
	parked         tally.Gauge
}

func newMetrics(scope tally.Scope) *metrics {
	return &metrics{
		scope:    scope,
		commit:   scope.Histogram("parley_inbox_commit_batch_size", tally.ValueBuckets{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000}),
		signal:   scope.Histogram("parley_inbox_signal_batch_size", tally.ValueBuckets{1, 2, 5, 10, 20, 50, 100, 200, 500}),
		dead:     scope.Counter("parley_inbox_dead_total"),
		failures: scope.Counter("parley_inbox_write_failures_total"),
		oldest:   scope.Gauge("parley_inbox_oldest_age_seconds"),
		parked:   scope.Gauge("parley_inbox_parked"),
	}
}

func (m *metrics) committed(events int) { m.commit.RecordValue(float64(events)) }

func (m *metrics) signalled(events int) { m.signal.RecordValue(float64(events)) }

func (m *metrics) died() { m.dead.Inc(1) }

func (m *metrics) failed() { m.failures.Inc(1) }

// gauge hands the state of the queue on.
func (m *metrics) gauge(report *Report) {
	m.oldest.Update(report.OldestAge.Seconds())
	m.parked.Update(float64(report.Parked))

	for _, source := range report.Sources {
		m.scope.Tagged(map[string]string{"source": source.Source}).Gauge("parley_inbox_depth").Update(float64(source.Depth))
	}
}
