package faults_test

import (
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/parleyhq/parley/signals"
)

// runs lists every run of a workflow type, by workflow id.
func (w *world) runs(kind string) (map[string][]*workflowpb.WorkflowExecutionInfo, error) {
	ctx, cancel := background(20 * time.Second)
	defer cancel()

	found := map[string][]*workflowpb.WorkflowExecutionInfo{}

	for token, more := []byte(nil), true; more; {
		page, err := w.client().ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Query: fmt.Sprintf("WorkflowType = '%s'", kind), PageSize: 500, NextPageToken: token,
		})
		if err != nil {
			return nil, err
		}

		for _, info := range page.GetExecutions() {
			id := info.GetExecution().GetWorkflowId()
			found[id] = append(found[id], info)
		}

		token = page.GetNextPageToken()
		more = len(token) > 0
	}

	return found, nil
}

// judgeRuns: one run per session, none of a conversation that nobody sent, all
// of them completed, and no workflow task failed.
func (w *world) judgeRuns(verdicts []*verdict) {
	sessions := make(map[string]int, len(verdicts))
	roomy := make(map[string]bool, len(verdicts))

	for _, found := range verdicts {
		sessions[found.key.WorkflowID()] = len(found.views)
		roomy[found.key.WorkflowID()] = w.roomy[found.key]
	}

	var wrong []string

	// The list follows the truth after a moment.
	w.await(20*time.Second, func() bool {
		listed, err := w.runs(signals.ConversationWorkflow)
		if err != nil {
			wrong = []string{err.Error()}

			return false
		}

		wrong = wrong[:0]

		for id, want := range sessions {
			if text := judgeChain(listed[id], want, roomy[id]); text != "" {
				wrong = append(wrong, id+": "+text)
			}
		}

		for id := range listed {
			if _, known := sessions[id]; !known && len(sessions) == len(w.book.conversations()) {
				wrong = append(wrong, id+": nobody sent anything to it")
			}
		}

		return len(wrong) == 0
	}, func() string { return "runs are not as sessions are:\n" + strings.Join(wrong, "\n") })

	w.judgeDeliveries()
	w.judgeTasks(sessions)
}

// judgeChain says what is wrong with the runs of a conversation.
func judgeChain(runs []*workflowpb.WorkflowExecutionInfo, sessions int, roomy bool) string {
	completed, continued := 0, 0

	for _, run := range runs {
		switch run.GetStatus() {
		case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
			completed++
		case enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
			continued++ // into the next session, or for its length
		default:
			return fmt.Sprintf("a run is %s", run.GetStatus())
		}
	}

	if completed+continued == sessions || roomy && completed <= sessions && completed+continued >= sessions {
		return ""
	}

	return fmt.Sprintf("%d runs completed and %d continued in %d sessions", completed, continued, sessions)
}

// judgeDeliveries: none failed.
func (w *world) judgeDeliveries() {
	listed, err := w.runs(signals.DeliveryWorkflow)
	if err != nil {
		w.Errorf("deliveries cannot be listed: %v", err)

		return
	}

	for id, runs := range listed {
		for _, run := range runs {
			switch run.GetStatus() {
			case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED,
				enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
			default:
				w.Errorf("%s is %s", id, run.GetStatus())
			}
		}
	}
}

// judgeTasks looks into the histories for workflow tasks that failed by
// themselves. A task may time out with its worker, a close may lose against a
// signal, and a server that cannot write takes no heartbeat: all are tried again.
func (w *world) judgeTasks(sessions map[string]int) {
	for id := range sessions {
		for _, event := range w.events(id) {
			failed := event.GetWorkflowTaskFailedEventAttributes()
			if failed == nil {
				continue
			}

			if strings.HasPrefix(failed.GetFailure().GetMessage(), "error sending workflow task heartbeat") {
				continue
			}

			switch failed.GetCause() {
			case enumspb.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND, enumspb.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND,
				enumspb.WORKFLOW_TASK_FAILED_CAUSE_RESET_STICKY_TASK_QUEUE:
			default:
				w.Errorf("%s: a workflow task failed: %s %s", id, failed.GetCause(), failed.GetFailure().GetMessage())
			}
		}
	}
}

// events returns the history of the newest run of a workflow.
func (w *world) events(id string) []*historypb.HistoryEvent { return w.eventsOf(id, "") }

// eventsOf returns the history of one run.
func (w *world) eventsOf(id, run string) []*historypb.HistoryEvent {
	ctx, cancel := background(20 * time.Second)
	defer cancel()

	var all []*historypb.HistoryEvent

	for events := w.client().GetWorkflowHistory(ctx, id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		event, err := events.Next()
		if err != nil {
			break
		}

		all = append(all, event)
	}

	return all
}

// histories tells the events of all of a conversation's runs, the newest first.
func (w *world) histories(key signals.Key) string {
	listed, err := w.runs(signals.ConversationWorkflow)
	if err != nil {
		return err.Error()
	}

	var text strings.Builder

	for _, run := range listed[key.WorkflowID()] {
		fmt.Fprintf(&text, "run %s, %s\n%s", run.GetExecution().GetRunId(), run.GetStatus(),
			tellEvents(w.eventsOf(key.WorkflowID(), run.GetExecution().GetRunId())))
	}

	return text.String()
}

// history tells a run's events in few words, for whoever looks for a fault.
func (w *world) history(id string) string { return tellEvents(w.events(id)) }

func tellEvents(events []*historypb.HistoryEvent) string {
	var text strings.Builder

	for _, event := range events {
		fmt.Fprintf(&text, "%s %4d %s", event.GetEventTime().AsTime().Format("15:04:05.000"), event.GetEventId(), event.GetEventType())

		if signal := event.GetWorkflowExecutionSignaledEventAttributes(); signal != nil && len(signal.GetInput().GetPayloads()) > 0 {
			fmt.Fprintf(&text, " %s", signals.Cut(string(signal.GetInput().GetPayloads()[0].GetData()), 1000))
		}

		if sent := event.GetActivityTaskScheduledEventAttributes(); sent != nil && len(sent.GetInput().GetPayloads()) > 0 {
			fmt.Fprintf(&text, " %s", signals.Cut(string(sent.GetInput().GetPayloads()[0].GetData()), 1000))
		}

		text.WriteByte('\n')
	}

	return text.String()
}

// progress says where a run stands.
func (w *world) progress(key signals.Key) string {
	ctx, cancel := background(5 * time.Second)
	defer cancel()

	described, err := w.client().DescribeWorkflowExecution(ctx, key.WorkflowID(), "")
	if err != nil {
		return err.Error()
	}

	info := described.GetWorkflowExecutionInfo()

	return fmt.Sprintf("run %s, %s; pending task %v; pending activities %v\n%s", info.GetExecution().GetRunId(), info.GetStatus(),
		described.GetPendingWorkflowTask(), described.GetPendingActivities(), w.history(key.WorkflowID()))
}
