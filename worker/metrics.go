package worker

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/uber-go/tally/v4"
	"github.com/uber-go/tally/v4/prometheus"
	sdktally "go.temporal.io/sdk/contrib/tally"
)

// Metrics is everything that Parley and the Temporal SDK measure, as
// Prometheus reads it.
type Metrics struct {
	// Scope gives counters and latencies the endings that Prometheus wants:
	// _total and _seconds. Parley's own names begin with parley_, those of the
	// Temporal SDK with temporal_.
	Scope tally.Scope
	// Plain leaves names as they are.
	Plain tally.Scope
	// Handler serves the metrics.
	Handler http.Handler

	closer io.Closer
}

// reportEvery is how often tally hands its figures on.
const reportEvery = time.Second

// NewMetrics makes the root of all metrics. Latencies are histograms with
// explicit buckets, since tally's own are too coarse to see an acknowledgement in.
func NewMetrics() (*Metrics, error) {
	var failed error

	reporter, err := prometheus.Configuration{
		TimerType:               "histogram",
		DefaultHistogramBuckets: buckets(),
	}.NewReporter(prometheus.ConfigurationOptions{
		OnError: func(err error) { failed = err },
	})
	if err != nil {
		return nil, fmt.Errorf("make the metrics reporter: %w", err)
	}

	root, closer := tally.NewRootScope(tally.ScopeOptions{
		CachedReporter:  reporter,
		Separator:       prometheus.DefaultSeparator,
		SanitizeOptions: &sdktally.PrometheusSanitizeOptions,
	}, reportEvery)

	if failed != nil {
		return nil, fmt.Errorf("make the metrics reporter: %w", failed)
	}

	return &Metrics{
		Scope: sdktally.NewPrometheusNamingScope(root), Plain: root, Handler: reporter.HTTPHandler(), closer: closer,
	}, nil
}

// Close hands the last figures on.
func (m *Metrics) Close() error {
	if err := m.closer.Close(); err != nil {
		return fmt.Errorf("close the metrics: %w", err)
	}

	return nil
}

// LatencyBuckets are the bounds of every latency histogram: from the fastest
// acknowledgement, 1 ms, to the longest wait at a desk that is worth telling from
// others, an hour.
func LatencyBuckets() tally.DurationBuckets {
	const ms = time.Millisecond

	return tally.DurationBuckets{
		1 * ms, 2 * ms, 5 * ms, 10 * ms, 20 * ms, 50 * ms, 100 * ms, 150 * ms, 250 * ms, 500 * ms,
		time.Second, 2500 * ms, 5 * time.Second, 10 * time.Second, 30 * time.Second,
		time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour,
	}
}

func buckets() []prometheus.HistogramObjective {
	all := LatencyBuckets()
	out := make([]prometheus.HistogramObjective, 0, len(all))

	for _, bound := range all {
		out = append(out, prometheus.HistogramObjective{Upper: bound.Seconds()})
	}

	return out
}

// Signalled measures one signal to a workflow: how many events or orders it
// carried and how long Temporal took. It is the courier's observer.
func (m *Metrics) Signalled(signal string, size int, took time.Duration, err error) {
	outcome := "ok"
	if err != nil {
		outcome = "error"
	}

	tags := map[string]string{"signal": signal, "outcome": outcome}
	m.Scope.Tagged(tags).Counter("parley_signals").Inc(1)
	m.Scope.Tagged(tags).Histogram("parley_signal_latency", LatencyBuckets()).RecordDuration(took)
	m.Plain.Tagged(tags).Histogram("parley_signal_batch_size", batchBuckets()).RecordValue(float64(size))
}

// batchBuckets goes up to the 100 events that one signal carries at most.
func batchBuckets() tally.ValueBuckets { return tally.ValueBuckets{1, 2, 5, 10, 20, 50, 100} }
