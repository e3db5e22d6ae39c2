package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/parleyhq/parley/signals"
)

func poller(identity string, seen time.Time) *taskqueue.PollerInfo {
	return &taskqueue.PollerInfo{Identity: identity, LastAccessTime: timestamppb.New(seen)}
}

func TestNeighbours(t *testing.T) {
	t.Parallel()

	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	fresh, stale := now.Add(-time.Minute), now.Add(-2*time.Minute)
	alive := func(pid int) bool { return pid == 7 }

	for name, test := range map[string]struct {
		pollers []*taskqueue.PollerInfo
		want    []string
	}{
		"nobody":                 {},
		"another host":           {[]*taskqueue.PollerInfo{poller("8@there@", fresh)}, []string{"8@there@"}},
		"another host, gone":     {pollers: []*taskqueue.PollerInfo{poller("8@there@", stale)}},
		"a process of this host": {[]*taskqueue.PollerInfo{poller("7@here@", fresh)}, []string{"7@here@"}},
		"an earlier start":       {pollers: []*taskqueue.PollerInfo{poller("8@here@", fresh)}},
		"an identity of its own": {[]*taskqueue.PollerInfo{poller("worker", fresh)}, []string{"worker"}},
		"each once":              {[]*taskqueue.PollerInfo{poller("a", fresh), poller("a", fresh)}, []string{"a"}},
		"many": {
			[]*taskqueue.PollerInfo{poller("a", fresh), poller("b", fresh), poller("c", fresh), poller("d", fresh)},
			[]string{"a", "b", "c"},
		},
		"a live one beside a dead": {[]*taskqueue.PollerInfo{poller("8@here@", fresh), poller("7@here@", fresh)}, []string{"7@here@"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, neighbours(test.pollers, "here", now, alive))
		})
	}

	require.False(t, runs(os.Getpid()), "one is not one's own neighbour")
	require.True(t, runs(os.Getppid()))
	require.False(t, runs(0))
}

// queue answers with pollers or fails.
type queue struct {
	pollers []*taskqueue.PollerInfo
	err     error
}

func (q queue) DescribeTaskQueue(
	_ context.Context, name string, _ enumspb.TaskQueueType,
) (*workflowservice.DescribeTaskQueueResponse, error) {
	if name != signals.TaskQueue {
		return nil, errors.New("another queue")
	}

	return &workflowservice.DescribeTaskQueueResponse{Pollers: q.pollers}, q.err
}

func TestNeighboursAreToldInOneLine(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		queue queue
		lines int
	}{
		"nobody":    {},
		"not known": {queue: queue{err: errors.New("no permission")}},
		"two":       {queue{pollers: []*taskqueue.PollerInfo{poller("1@a@", time.Now()), poller("1@b@", time.Now())}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var out bytes.Buffer

			warnOfNeighbours(t.Context(), test.queue, "default", slog.New(slog.NewTextHandler(&out, nil)))
			require.Equal(t, test.lines, strings.Count(out.String(), "\n"), out.String())

			if test.lines > 0 {
				require.Contains(t, out.String(), "1@a@ 1@b@")
			}
		})
	}
}
