// Package courier carries messages to workflows: in order per target, batched,
// one signal in flight per target and many targets at a time.
//
// It also knows what to do where no run is open: which events may start the
// next session, which belong to the closed one, and which wait for one that may
// start a conversation (design, section 6). Conversations and desks never
// signal each other themselves; everything goes through here.
//
// # What the server does
//
// Read in go.temporal.io/server v1.32.1, service/history/api:
//
//   - SignalWithStart with the reuse policy REJECT_DUPLICATE signals a running
//     execution, starts a never-seen id, and answers
//     WorkflowExecutionAlreadyStarted for one whose last run is closed
//     (signalwithstartworkflow: only a running execution skips the policy;
//     workflow_id_dedup.go: the policy applies to a completed one). Go's SDK
//     returns that error as it is: WorkflowExecutionErrorWhenAlreadyStarted
//     concerns plain starts only.
//   - SignalWithStart with ALLOW_DUPLICATE signals a running execution too, so
//     that two who start the next session at once make one run.
//   - A second run created at the same moment fails with Unavailable
//     (handler.convertError), which the SDK repeats by itself, under the same
//     request id.
//   - While a run's completion is being decided, signals get ResourceExhausted
//     with the cause BUSY_WORKFLOW (signal_workflow_util.go).
//   - The close event of an open run, asked for without waiting, is an empty
//     history (getworkflowexecutionhistory).
package courier
