package main

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/parleyhq/parley/signals"
)

// pollersStale is when a poller that was not heard of any more is gone: a poll
// lasts a minute, and the server names pollers for five.
const pollersStale = 90 * time.Second

// pollerLister is the part of a Temporal client that knows who works.
type pollerLister interface {
	DescribeTaskQueue(
		ctx context.Context, queue string, kind enumspb.TaskQueueType,
	) (*workflowservice.DescribeTaskQueueResponse, error)
}

// warnOfNeighbours says in one line when somebody else's worker serves the
// namespace: each Parley has its own inbox and tickets, so that two of them show
// half of everything. Call it before one's own worker polls. It is a remark only,
// so that not knowing is no error.
func warnOfNeighbours(ctx context.Context, temporal pollerLister, namespace string, log *slog.Logger) {
	const patience = 3 * time.Second

	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	answer, err := temporal.DescribeTaskQueue(ctx, signals.TaskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		log.DebugContext(ctx, "who else serves the namespace is not known", slog.Any("error", err))

		return
	}

	host, err := os.Hostname()
	if err != nil {
		host = ""
	}

	if others := neighbours(answer.GetPollers(), host, time.Now(), runs); len(others) > 0 {
		log.WarnContext(ctx, "another Parley seems to serve this namespace: give each its own, since each keeps its own tickets and inbox",
			slog.String("namespace", namespace), slog.String("identity", strings.Join(others, " ")))
	}
}

// neighbours are the identities, at most a few, of the pollers that live. The
// SDK's own identity is pid@host@; of this host's processes alive tells.
func neighbours(pollers []*taskqueue.PollerInfo, host string, now time.Time, alive func(pid int) bool) []string {
	const most = 3

	var out []string

	for _, poller := range pollers {
		identity := poller.GetIdentity()
		number, rest, _ := strings.Cut(identity, "@")
		where, _, _ := strings.Cut(rest, "@")

		if now.Sub(poller.GetLastAccessTime().AsTime()) > pollersStale || slices.Contains(out, identity) {
			continue
		}

		if pid, err := strconv.Atoi(number); err == nil && host != "" && where == host && !alive(pid) {
			continue // an earlier start of this one
		}

		if len(out) < most {
			out = append(out, identity)
		}
	}

	return out
}

// runs reports whether a process of this machine runs, other than this one.
func runs(pid int) bool {
	if pid <= 0 || pid == os.Getpid() {
		return false
	}

	process, err := os.FindProcess(pid)
	if err != nil {
		return false
	}

	err = process.Signal(syscall.Signal(0))

	return err == nil || os.IsPermission(err)
}
