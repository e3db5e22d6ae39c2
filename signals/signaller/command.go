package signaller

import (
	"context"

	"go.temporal.io/sdk/client"

	"github.com/parleyhq/parley/signals"
)

// Accept makes command.AgentID the one who has the conversation, on an
// invitation or in its place.
func (s *Signaller) Accept(ctx context.Context, key signals.Key, command signals.Command) (signals.View, error) {
	return s.Do(ctx, key, signals.AcceptUpdate, "", command)
}

// Decline turns down the invitation of command.AgentID.
func (s *Signaller) Decline(ctx context.Context, key signals.Key, command signals.Command) (signals.View, error) {
	return s.Do(ctx, key, signals.DeclineUpdate, "", command)
}

// Assign gives the conversation to command.AgentID.
func (s *Signaller) Assign(ctx context.Context, key signals.Key, command signals.Command) (signals.View, error) {
	return s.Do(ctx, key, signals.AssignUpdate, "", command)
}

// CloseConversation closes the conversation for command.Reason.
func (s *Signaller) CloseConversation(ctx context.Context, key signals.Key, command signals.Command) (signals.View, error) {
	return s.Do(ctx, key, signals.CloseUpdate, "", command)
}

// Reopen takes back a close within its grace.
func (s *Signaller) Reopen(ctx context.Context, key signals.Key, command signals.Command) (signals.View, error) {
	return s.Do(ctx, key, signals.ReopenUpdate, "", command)
}

// Snooze puts the conversation to sleep until command.Until, or until the
// visitor writes.
func (s *Signaller) Snooze(ctx context.Context, key signals.Key, command signals.Command) (signals.View, error) {
	return s.Do(ctx, key, signals.SnoozeUpdate, "", command)
}

// Note keeps command.Text with the conversation; the visitor never sees it.
func (s *Signaller) Note(ctx context.Context, key signals.Key, command signals.Command) (signals.View, error) {
	return s.Do(ctx, key, signals.NoteUpdate, "", command)
}

// Do sends the command named update, one of the update names of the package
// signals, and returns how the conversation stands after it. With the same id a
// repeat has no further effect and the same answer; an empty id is never the
// same. Errors wrap [ErrRefused] or [ErrNotRunning] where that is the reason.
func (s *Signaller) Do(ctx context.Context, key signals.Key, update, id string, command signals.Command) (signals.View, error) {
	var view signals.View

	handle, err := s.temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		UpdateID: id, WorkflowID: key.WorkflowID(), UpdateName: update, Args: []any{command},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return view, explain(key, update, err)
	}

	if err := handle.Get(ctx, &view); err != nil {
		return view, explain(key, update, err)
	}

	return view, nil
}
