package webhooks

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/signals/spelling"
)

const (
	// commandPatience bounds a command, from the request to its verdict.
	commandPatience = 5 * time.Second
	// maxWord bounds the short fields of a command, in bytes.
	maxWord = 255
	// maxIdempotencyKey bounds the header Idempotency-Key, in bytes.
	maxIdempotencyKey = 255
	idempotencyHeader = "Idempotency-Key"
	// endedMeanwhile is the server's word for a run that ended while a command
	// was under way (service/history/workflow/update/abort_reason.go, 1.32).
	endedMeanwhile = "AcceptedUpdateCompletedWorkflow"
)

// verb is one command: the update that carries it, the fields that it takes
// and those it needs, all of needs and one at least of either.
type verb struct {
	update                string
	fields, needs, either []string
}

// verbs are the commands by the last part of their path.
func verbs() map[string]verb {
	agent := []string{"agent_id", "agent_name", "agent_nickname", "by", "reason"}

	return map[string]verb{
		"accept":  {update: signals.AcceptUpdate, fields: agent, needs: []string{"agent_id"}},
		"decline": {update: signals.DeclineUpdate, fields: agent, needs: []string{"agent_id"}},
		"assign":  {update: signals.AssignUpdate, fields: agent, needs: []string{"agent_id"}},
		"transfer": {
			update: signals.TransferUpdate, fields: append([]string{"desk", "group_id"}, agent...),
			either: []string{"agent_id", "desk", "group_id"},
		},
		"escalate": {
			update: signals.EscalateUpdate, fields: []string{"agent_id", "by", "desk", "group_id", "priority", "reason", "skill"},
		},
		"close":  {update: signals.CloseUpdate, fields: []string{"by", "by_id", "reason"}},
		"reopen": {update: signals.ReopenUpdate, fields: []string{"by", "reason"}},
		"snooze": {update: signals.SnoozeUpdate, fields: []string{"by", "until"}},
		"notes":  {update: signals.NoteUpdate, fields: []string{"by", "text"}, needs: []string{"text"}},
	}
}

// command sends one command to a running conversation and answers with the
// state after it.
func (s *Server) command(v verb) fiber.Handler {
	return func(c *fiber.Ctx) error {
		key, err := keyOf(c)
		if err != nil {
			return err
		}

		body, err := bodyOf(c)
		if err != nil {
			return err
		}

		command, err := v.decode(body)
		if err != nil {
			return err
		}

		if command.Desk != "" && !s.deps.Desks.Known(command.Desk) {
			return invalid("desk", "names no desk")
		}

		if caller := callerOf(c); command.By == "" && caller != nil {
			command.By = caller.name
		}

		id, err := updateID(c, v.update)
		if err != nil {
			return err
		}

		if err := s.judgeAgent(key, v, &command); err != nil {
			return err
		}

		view, err := s.update(key, v, id, command)
		if err != nil {
			return err
		}

		if view.Agent != "" || v.update == signals.CloseUpdate {
			s.finder.Taken(key)
		}

		return c.JSON(whole(&view))
	}
}

// judgeAgent refuses an agent who stands on another desk than the one that has the
// conversation, or that the command names, or on none: nobody would count the slot,
// or notice that the agent went offline.
func (s *Server) judgeAgent(key signals.Key, v verb, command *signals.Command) error {
	source, ok := s.sources[key.Source]
	if !ok || !source.Routed || command.AgentID == "" || v.update == signals.DeclineUpdate {
		return nil
	}

	ctx, cancel := context.WithTimeout(s.work, commandPatience)
	defer cancel()

	s.catchUp(ctx, key)

	// What is wrong with the conversation the command itself finds out.
	view, err := s.running(ctx, key)
	if err != nil || view.Agent == command.AgentID {
		return nil
	}

	// It names whom the conversation is offered to, or who has it.
	if v.update == signals.AcceptUpdate && (view.Status == signals.StatusOffered || view.Agent != "") {
		return nil
	}

	named := cmp.Or(command.Desk, source.Groups[command.GroupID])

	return s.judgeHome(ctx, v, command.AgentID, named, cmp.Or(named, view.Desk, source.Desk))
}

// judgeHome refuses an agent who does not stand on this desk, which the command
// named, or else has the conversation.
func (s *Server) judgeHome(ctx context.Context, v verb, agent, named, desk string) error {
	here := s.deps.Desks.Look(ctx, desk)
	if here.Home(agent, desk) != "" {
		return nil
	}

	others := s.deps.Desks.Look(ctx, s.deps.Desks.Others(desk)...)

	switch home := others.Home(agent, ""); {
	case home != "" && named != "":
		return refused("agent " + agent + " is on desk " + home + ", the command names " + named)
	case home != "":
		return refused("agent " + agent + " is on desk " + home + ", the conversation on " + desk + ": transfer it to that desk")
	case v.update == signals.AcceptUpdate: // the conversation knows whom it was offered to
	case here.Complete && others.Complete && (here.Answered || others.Answered):
		return refused("no desk knows an agent " + agent + "; PUT /v1/desks/" + desk + "/agents/" + url.PathEscape(agent) + " adds one")
	}

	return nil
}

// decode reads a command.
func (v verb) decode(body []byte) (signals.Command, error) {
	fields, err := fieldsOf(body)
	if err != nil {
		return signals.Command{}, err
	}

	var (
		command signals.Command
		urgency urgency
	)

	targets := map[string]any{
		"agent_id": &command.AgentID, "agent_name": &command.AgentName, "agent_nickname": &command.AgentNickname,
		"by": &command.By, "by_id": &command.By, "reason": &command.Reason, "until": &command.Until, "text": &command.Text,
		"desk": &command.Desk, "group_id": &command.GroupID, "skill": &command.Skill, "priority": &urgency,
	}

	if err := decodeFields(fields, v.fields, targets); err != nil {
		return signals.Command{}, err
	}

	command.Priority = string(urgency)
	given := func(name string) bool {
		text, ok := targets[name].(*string)

		return ok && *text != ""
	}

	for _, name := range v.needs {
		if !given(name) {
			return signals.Command{}, invalid(name, "is missing")
		}
	}

	switch {
	case len(v.either) > 0 && !slices.ContainsFunc(v.either, given):
		return signals.Command{}, invalid(v.either[0], "is missing, and so are "+strings.Join(v.either[1:], " and "))
	case v.update == signals.TransferUpdate && command.AgentID != "" && (command.Desk != "" || command.GroupID != ""):
		return signals.Command{}, invalid("agent_id", "and a desk or group exclude each other")
	}

	return command, nil
}

// urgency is low, normal, high, urgent or a whole number, as JSON text or number.
type urgency string

// maxUrgency bounds a priority that is a number, either way.
const maxUrgency = 100

var errUrgency = fmt.Errorf("must be low, normal, high, urgent or a number from %d to %d", -maxUrgency, maxUrgency)

// UnmarshalJSON reads a priority.
func (u *urgency) UnmarshalJSON(raw []byte) error {
	text := string(raw)
	if strings.HasPrefix(text, `"`) {
		if err := json.Unmarshal(raw, &text); err != nil {
			return fmt.Errorf("read priority: %w", err)
		}
	}

	text = strings.ToLower(text)
	if number, err := strconv.Atoi(text); err == nil && number >= -maxUrgency && number <= maxUrgency {
		*u = urgency(strconv.Itoa(number))

		return nil
	}

	switch text {
	case "null", "":
	case "low", "normal", "high", "urgent":
		*u = urgency(text)
	default:
		return errUrgency
	}

	return nil
}

// fieldsOf reads the fields of a body, which may be empty.
func fieldsOf(body []byte) (map[string]json.RawMessage, error) {
	fields := make(map[string]json.RawMessage)

	if len(body) > 0 {
		if err := dialect.Unmarshal(body, "", &fields); err != nil {
			return nil, commandProblem(err)
		}
	}

	return fields, nil
}

// decodeFields reads fields strictly: one that is not known would otherwise be a
// wish that nobody hears.
func decodeFields(fields map[string]json.RawMessage, known []string, targets map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(known, name) {
			return invalid(name, "is no field of this command"+spelling.Suggest(name, known))
		}

		if err := decodeField(name, fields[name], targets[name]); err != nil {
			return err
		}
	}

	return nil
}

func decodeField(name string, raw json.RawMessage, target any) error {
	if err := dialect.Unmarshal(raw, name, target); err != nil {
		return commandProblem(err)
	}

	text, ok := target.(*string)
	if !ok {
		return nil
	}

	limit := maxWord
	if name == "text" || name == "reason" {
		limit = signals.MaxTextBytes
	}

	if len(*text) > limit {
		return invalid(name, "is longer than "+strconv.Itoa(limit)+" bytes")
	}

	switch name {
	case "agent_id", "group_id", "skill": // lists are asked by them
		if !queryable(*text) {
			return invalid(name, "holds control characters")
		}
	}

	return nil
}

// commandProblem keeps a field's error and calls everything else malformed.
func commandProblem(err error) error {
	var field *signals.FieldError
	if errors.As(err, &field) && field.Field != "body" {
		return err
	}

	return malformed("the body is no JSON object")
}

// updateID scopes the caller's idempotency key to the command, since the ids
// of all updates of a run share one space. Without a key each is its own.
func updateID(c *fiber.Ctx, command string) (string, error) {
	given := c.Get(idempotencyHeader)
	if given == "" {
		return "", nil
	}

	if len(given) > maxIdempotencyKey {
		return "", invalid(idempotencyHeader, "is longer than "+strconv.Itoa(maxIdempotencyKey)+" bytes")
	}

	name := ""
	if caller := callerOf(c); caller != nil {
		name = caller.name
	}

	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", name, command, given))

	return hex.EncodeToString(sum[:16]), nil
}

// update runs the command as an update of the workflow and returns the state
// that the workflow answers with.
func (s *Server) update(key signals.Key, v verb, id string, command signals.Command) (signals.View, error) {
	ctx, cancel := context.WithTimeout(s.work, commandPatience)
	defer cancel()

	s.catchUp(ctx, key)

	handle, err := s.deps.Temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		UpdateID:     id,
		WorkflowID:   key.WorkflowID(),
		UpdateName:   v.update,
		Args:         []any{command},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		var answer signals.Answer
		if err = handle.Get(ctx, &answer); err == nil {
			return s.obeyed(&answer, &command)
		}
	}

	if refusedAnother(err, &command) {
		return signals.View{}, keyReused()
	}

	return s.verdict(ctx, key, v, err)
}

// obeyed completes the state after a command. It was obeyed, whatever the stores
// say and however late: who is told that it failed would send it again, and a note
// would be there twice.
func (s *Server) obeyed(answer *signals.Answer, command *signals.Command) (signals.View, error) {
	if another(answer.Command, command) {
		return signals.View{}, keyReused()
	}

	ctx, cancel := context.WithTimeout(s.work, queryPatience)
	defer cancel()

	if err := s.complete(ctx, &answer.View); err != nil {
		s.log.ErrorContext(ctx, "what only the stores know is left out of the answer to a command", slog.String("source", answer.View.Source),
			slog.String("conversation", answer.View.ID), slog.Any("error", err))
		filled(&answer.View)
	}

	return answer.View, nil
}

// another reports whether the digest is that of a command other than the one
// that was sent: its idempotency key stands for the first.
func another(digest string, command *signals.Command) bool {
	return digest != "" && digest != command.Digest()
}

// refusedAnother reports whether a refusal is that of another command.
func refusedAnother(err error, command *signals.Command) bool {
	application, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok || application.Type() != signals.RefusedError || !application.HasDetails() {
		return false
	}

	var digest string

	return application.Details(&digest) == nil && another(digest, command)
}

// keyReused is what the draft of the header says about the same key with
// another payload (draft-ietf-httpapi-idempotency-key-header).
func keyReused() error {
	return invalid(idempotencyHeader, "was used before with another body")
}

// verdict tells why an update did not go through.
func (s *Server) verdict(ctx context.Context, key signals.Key, v verb, err error) (signals.View, error) {
	var (
		missing     *serviceerror.NotFound
		application *temporal.ApplicationError
	)

	switch {
	case errors.As(err, &application) && application.Type() == signals.RefusedError:
		return s.refusedOr(ctx, key, v, application.Message())
	case errors.As(err, &missing), application != nil && application.Type() == endedMeanwhile:
		return s.afterwards(ctx, key, v)
	case application != nil:
		s.log.ErrorContext(ctx, "command failed", slog.String("source", key.Source), slog.String("conversation", key.Conversation),
			slog.String("command", v.update), slog.Any("error", err))

		return signals.View{}, fmt.Errorf("%s %s: %w", v.update, key, err)
	default:
		return signals.View{}, s.temporalProblem(key, err)
	}
}

// refusedOr answers a refusal. A session whose ticket is being made refuses
// everything, but that it is closed is what a close wants.
func (s *Server) refusedOr(ctx context.Context, key signals.Key, v verb, reason string) (signals.View, error) {
	if v.update == signals.CloseUpdate {
		if view, err := s.find(ctx, key, 0); err == nil && view.Status == signals.StatusClosed {
			return view, nil
		}
	}

	return signals.View{}, refused(reason)
}

// afterwards answers a command to a conversation whose run is over: closing
// it once more changes nothing, anything else comes too late.
func (s *Server) afterwards(ctx context.Context, key signals.Key, v verb) (signals.View, error) {
	view, err := s.stored(ctx, key, 0)

	switch {
	case errors.Is(err, ErrNotFound):
		return signals.View{}, s.missing(ctx, key)
	case err != nil:
		return signals.View{}, err
	case v.update == signals.CloseUpdate:
		return view, nil
	default:
		return signals.View{}, refused("the conversation is closed, session " + strconv.Itoa(view.Session) + " was its last")
	}
}
