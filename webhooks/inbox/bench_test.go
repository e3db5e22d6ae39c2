package inbox_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/webhooks/inbox"
)

// BenchmarkAccept compares acceptance with a bare group commit of (seq, body) by
// the same callers, in turns on the same disk. Its figures are the events per
// second of both, their ratio, and the median and 99th percentile of one call.
func BenchmarkAccept(b *testing.B) {
	for _, callers := range []int{1, 16, 64, 256} {
		for _, forwarding := range []bool{false, true} {
			b.Run(fmt.Sprintf("callers=%d/forwarding=%t", callers, forwarding), func(b *testing.B) {
				compare(b, callers, forwarding)
			})
		}
	}
}

// turns is how often the two take turns.
const turns = 6

func compare(b *testing.B, callers int, forwarding bool) {
	b.Helper()

	db, err := inbox.Open(b.Context(), filepath.Join(b.TempDir(), "parley.db"))
	require.NoError(b, err)

	in, err := inbox.New(b.Context(), db, inbox.Config{MaxWaiting: 1 << 30, MaxWaitingBytes: 1 << 40}, nil)
	require.NoError(b, err)

	if forwarding {
		in.Start(&script{forgetful: true})
	}

	floor := newBare(b)

	var (
		next          atomic.Int64
		ours, bares   time.Duration
		latencies     []time.Duration
		mu            sync.Mutex
		share         = max(1, b.N/turns)
		conversations = int64(500)
	)

	accept := func() {
		n := next.Add(1)
		event := message(fmt.Sprintf("PJ0MRSHTDG_%d", n))
		event.Conversation = fmt.Sprintf("PJ0M%d", n/(20*conversations)*conversations+n%conversations)
		event.Actor = &signals.Actor{ID: "b7eff798-f8df-4364-8059-649c35c9ed0c", Role: signals.RoleVisitor, Name: "Ann"}
		event.ReceivedAt = time.Now()

		begun := time.Now()
		_, err := in.Accept(context.Background(), "livechat", []signals.Event{event})
		took := time.Since(begun)

		if err != nil {
			b.Error(err)
		}

		mu.Lock()
		latencies = append(latencies, took)
		mu.Unlock()
	}

	body, err := json.Marshal(message("PJ0MRSHTDG_1"))
	require.NoError(b, err)

	b.ResetTimer()

	for range turns {
		bares += together(callers, share, func() { floor.put(body) })
		ours += together(callers, share, accept)
	}

	b.StopTimer()

	total := float64(turns * share)

	slices.Sort(latencies)
	b.ReportMetric(total/ours.Seconds(), "events/s")
	b.ReportMetric(total/bares.Seconds(), "bare/s")
	b.ReportMetric(bares.Seconds()/ours.Seconds(), "ratio")
	b.ReportMetric(float64(latencies[len(latencies)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(latencies[len(latencies)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(0, "ns/op")

	report, err := in.Report(b.Context())
	require.NoError(b, err)
	b.ReportMetric(float64(report.Commit.P50), "group")

	require.NoError(b, in.Stop(context.Background()))
	require.NoError(b, db.Close())
	floor.close()
}

// together has callers make n calls between them.
func together(callers, n int, call func()) time.Duration {
	var (
		waiting sync.WaitGroup
		left    atomic.Int64
	)

	left.Store(int64(n))

	begun := time.Now()

	for range callers {
		waiting.Go(func() {
			for left.Add(-1) >= 0 {
				call()
			}
		})
	}

	waiting.Wait()

	return time.Since(begun)
}

// bare is a group commit with nothing else.
type bare struct {
	b     *testing.B
	db    *sql.DB
	queue chan bareJob
	ended chan struct{}
}

type bareJob struct {
	body []byte
	done chan struct{}
}

func newBare(b *testing.B) *bare {
	b.Helper()

	db, err := inbox.Open(b.Context(), filepath.Join(b.TempDir(), "bare.db"))
	require.NoError(b, err)

	_, err = db.ExecContext(b.Context(), `CREATE TABLE bare (seq INTEGER PRIMARY KEY, body BLOB NOT NULL)`)
	require.NoError(b, err)

	f := &bare{b: b, db: db, queue: make(chan bareJob, 4096), ended: make(chan struct{})}

	go f.write()

	return f
}

func (f *bare) put(body []byte) {
	j := bareJob{body: body, done: make(chan struct{})}
	f.queue <- j

	<-j.done
}

func (f *bare) close() {
	close(f.queue)
	<-f.ended

	if err := f.db.Close(); err != nil {
		f.b.Error(err)
	}
}

func (f *bare) write() {
	defer close(f.ended)

	ctx := context.Background()

	conn, err := f.db.Conn(ctx)
	if err != nil {
		f.b.Error(err)

		return
	}

	statements := make([]*sql.Stmt, 0, 3)

	defer func() {
		for _, statement := range statements {
			if err := statement.Close(); err != nil {
				f.b.Error(err)
			}
		}

		if err := conn.Close(); err != nil {
			f.b.Error(err)
		}
	}()

	for _, query := range []string{`BEGIN IMMEDIATE`, `INSERT INTO bare (seq, body) VALUES (?, ?)`, `COMMIT`} {
		statement, err := conn.PrepareContext(ctx, query) //nolint:sqlclosecheck // closed above
		if err != nil {
			f.b.Error(err)

			return
		}

		statements = append(statements, statement)
	}

	seq := 0

	for first := range f.queue {
		group := []bareJob{first}
		for len(f.queue) > 0 {
			group = append(group, <-f.queue)
		}

		_, err := statements[0].ExecContext(ctx)

		for _, j := range group {
			seq++

			if err == nil {
				_, err = statements[1].ExecContext(ctx, seq, j.body)
			}
		}

		if err == nil {
			_, err = statements[2].ExecContext(ctx)
		}

		if err != nil {
			f.b.Error(err)
		}

		for _, j := range group {
			close(j.done)
		}
	}
}
