package desk

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/desk"
	"github.com/parleyhq/parley/workflows/policy"
)

// Choose asks the desk's webhook who shall have each of some conversations, all
// at a time, and returns the answers in the same order. What is not answered in
// time, or not with an agent's id, is empty: the desk decides.
func (a *Activities) Choose(ctx context.Context, choice desk.Choice) ([]string, error) {
	agents := make([]string, len(choice.Asks))

	assign := a.Assign(choice.Desk)
	if assign.URL == "" {
		return agents, nil
	}

	ctx, cancel := context.WithTimeout(ctx, assign.Timeout.Std())
	defer cancel()

	info := activity.GetInfo(ctx)

	var asking sync.WaitGroup

	for i := range choice.Asks {
		id := "assign-" + info.WorkflowExecution.RunID + "-" + info.ActivityID + "-" + strconv.Itoa(i)

		asking.Go(func() {
			agent, err := a.ask(ctx, &assign, question(choice.Desk, &choice.Asks[i], id))
			if err != nil {
				a.Log.WarnContext(ctx, "the assignment webhook gave no answer; the desk chooses", slog.String("desk", choice.Desk),
					slog.String("source", choice.Asks[i].Key.Source), slog.String("conversation", choice.Asks[i].Key.Conversation),
					slog.Any("error", err))
			}

			agents[i] = agent
		})
	}

	asking.Wait()

	return agents, nil
}

// question is the event that the webhook gets: assignment.requested with the
// agents who can have the conversation, in the order of their ids.
func question(name string, about *desk.ChoiceFor, id string) *signals.Event {
	now := time.Now().UTC()
	waited := max(int64(now.Sub(about.Since).Seconds()), 0)
	event := &signals.Event{
		ID: id, Type: signals.AssignmentRequested, Source: about.Key.Source, Conversation: about.Key.Conversation,
		Session: about.Session, At: now, ReceivedAt: now,
		Actor:      &signals.Actor{Role: signals.RoleSystem},
		Invitation: &signals.Invitation{Candidates: make([]signals.Candidate, 0, len(about.Candidates))},
		Queue:      &signals.Queue{Desk: name, WaitSeconds: &waited, QueuedAt: about.Since},
	}

	for i := range about.Candidates {
		agent := &about.Candidates[i]
		capacity, load := int64(agent.Slots), int64(agent.Load)

		event.Invitation.Candidates = append(event.Invitation.Candidates, signals.Candidate{
			AgentID: agent.ID, Capacity: &capacity, Load: &load, Skills: agent.Skills,
		})
	}

	return event
}

// ask returns the agent that the webhook names, "" for none. Its errors are of
// type [outbound.Failure]; they name neither the address nor the secret.
func (a *Activities) ask(ctx context.Context, assign *policy.DeskAssign, event *signals.Event) (string, error) {
	body, err := json.Marshal(event)
	if err != nil {
		return "", outbound.Permanent("the question cannot be written as JSON")
	}

	now := time.Now()
	header := http.Header{"Content-Type": {"application/json"}}

	if err := outbound.Sign(header, event.ID, body, assign.Secret, now); err != nil {
		return "", outbound.Permanent(err.Error())
	}

	response, err := a.Webhook.Post(ctx, &outbound.Request{URL: assign.URL, Header: header, Body: body})
	if err != nil {
		return "", err
	}

	if err := outbound.Judge(response, now); err != nil {
		return "", err
	}

	if len(response.Body) == 0 {
		return "", nil
	}

	var answer struct {
		AgentID string `json:"agent_id"`
	}

	if response.Cut || json.Unmarshal(response.Body, &answer) != nil {
		return "", outbound.Permanent("the answer is no JSON object with agent_id")
	}

	if len(answer.AgentID) > signals.MaxIDBytes {
		return "", outbound.Permanent("the answer's agent_id is too long")
	}

	return answer.AgentID, nil
}
