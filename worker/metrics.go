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
	// Scope takes Parley's own metrics; their names begin with parley_.
	Scope tally.Scope
	// SDK takes the Temporal SDK's; their names begin with temporal_.
	SDK tally.Scope
	// Handler serves the metrics.
	Handler http.Handler

	closer io.Closer
}

// reportEvery is how often tally hands its figures on.
const reportEvery = time.Second

// NewMetrics makes the root of all metrics. Latencies are histograms with
// explicit buckets, from 1 ms to 30 s, since tally's own are too coarse to see
// an acknowledgement in.
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
		Scope: root.SubScope("parley"), SDK: sdktally.NewPrometheusNamingScope(root),
		Handler: reporter.HTTPHandler(), closer: closer,
	}, nil
}

// Close hands the last figures on.
func (m *Metrics) Close() error {
	if err := m.closer.Close(); err != nil {
		return fmt.Errorf("close the metrics: %w", err)
	}

	return nil
}

// LatencyBuckets are the bounds of every latency histogram.
func LatencyBuckets() tally.DurationBuckets {
	const ms = time.Millisecond

	return tally.DurationBuckets{
		1 * ms, 2 * ms, 5 * ms, 10 * ms, 20 * ms, 50 * ms, 100 * ms, 150 * ms, 250 * ms, 500 * ms,
		time.Second, 2500 * ms, 5 * time.Second, 10 * time.Second, 30 * time.Second,
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
