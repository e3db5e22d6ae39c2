package webhooks

import (
	"context"
	"errors"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/webhooks/desks"
)

// maxSkills bounds the skills of one request; a desk takes fewer yet.
const maxSkills = 100

// putAgent puts an agent on a desk, or changes one; what the body leaves out
// stays as it is.
func (s *Server) putAgent(c *fiber.Ctx) error {
	desk, agent, err := s.agentOf(c)
	if err != nil {
		return err
	}

	body, err := bodyOf(c)
	if err != nil {
		return err
	}

	word, err := decodeAgent(body)
	if err != nil {
		return err
	}

	word.ID = agent

	id, err := updateID(c, signals.AgentUpdate+" "+agent)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(s.work, commandPatience)
	defer cancel()

	// Of two desks that are given the same agent at once, the second sees the first.
	done, ok := s.turns.take(ctx, agent)
	if !ok {
		return unavailable("the desk does not answer for now")
	}

	defer done()

	if other := s.deps.Desks.Elsewhere(ctx, desk, agent); other != "" {
		return refused("the agent stands on the desk " + other + ", and belongs to one only")
	}

	answer, err := s.deps.Desks.Put(ctx, desk, id, word)
	if err != nil {
		return s.agentProblem(ctx, desk, err)
	}

	if id != "" && !obeys(&answer, &word) {
		return keyReused()
	}

	return c.JSON(answer)
}

// removeAgent takes an agent off a desk and answers with who that was.
func (s *Server) removeAgent(c *fiber.Ctx) error {
	desk, agent, err := s.agentOf(c)
	if err != nil {
		return err
	}

	id, err := updateID(c, signals.RemoveAgentUpdate+" "+agent)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(s.work, commandPatience)
	defer cancel()

	answer, err := s.deps.Desks.Remove(ctx, desk, id, agent)
	if refusal, no := errors.AsType[*desks.RefusedError](err); no {
		return notFound(refusal.Reason) // there is nothing else that a desk refuses here
	}

	if err != nil {
		return s.agentProblem(ctx, desk, err)
	}

	return c.JSON(answer)
}

// agentOf returns the desk and the agent that the path names.
func (s *Server) agentOf(c *fiber.Ctx) (desk, agent string, err error) {
	if desk, err = s.deskOf(c); err != nil {
		return "", "", err
	}

	if agent, err = pathParam(c, "agent"); err != nil {
		return "", "", err
	}

	if _, err = onlyParams(c); err != nil {
		return "", "", err
	}

	if len(agent) > signals.MaxIDBytes || !queryable(agent) {
		return "", "", invalid("agent", "must be UTF-8 of at most "+strconv.Itoa(signals.MaxIDBytes)+" bytes, without control characters")
	}

	return desk, agent, nil
}

// decodeAgent reads what is said of an agent, strictly.
func decodeAgent(body []byte) (signals.AgentWord, error) {
	var word signals.AgentWord

	fields, err := fieldsOf(body)
	if err != nil {
		return word, err
	}

	err = decodeFields(fields, []string{"name", "status", "slots", "skills", "priority"}, map[string]any{
		"name": &word.Name, "status": &word.Status, "slots": &word.Slots, "skills": &word.Skills, "priority": &word.Priority,
	})

	if len(word.Skills) > maxSkills || slices.ContainsFunc(word.Skills, func(skill string) bool { return len(skill) > maxWord }) {
		return word, invalid("skills", "are more than "+strconv.Itoa(maxSkills)+", or one is longer than "+strconv.Itoa(maxWord)+" bytes")
	}

	if !queryable(strings.Join(word.Skills, "")) {
		return word, invalid("skills", "hold control characters")
	}

	return word, err
}

// turns lets one word at a time through about an agent; few agents share a turn.
type turns [64]chan struct{}

func newTurns() *turns {
	var t turns

	for i := range t {
		t[i] = make(chan struct{}, 1)
	}

	return &t
}

// take waits for an agent's turn, as long as ctx lasts. Call what it returns to
// end the turn.
func (t *turns) take(ctx context.Context, agent string) (done func(), ok bool) {
	turn := t[crc32.ChecksumIEEE([]byte(agent))%uint32(len(t))]

	select {
	case turn <- struct{}{}:
		return func() { <-turn }, true
	case <-ctx.Done():
		return nil, false
	}
}

// obeys reports whether an agent is as a word says: the answer to another one
// under the same idempotency key mostly is not.
func obeys(agent *signals.DeskAgent, word *signals.AgentWord) bool {
	return (word.Name == "" || word.Name == agent.Name) &&
		(word.Status == "" || word.Status == agent.Status) &&
		(word.Slots == nil || *word.Slots == agent.Slots) &&
		(word.Priority == nil || *word.Priority == agent.Priority) &&
		(word.Skills == nil || slices.Equal(setOf(word.Skills), setOf(agent.Skills)))
}

func setOf(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

// agentProblem is [Server.deskProblem], with the names that the path has.
func (s *Server) agentProblem(ctx context.Context, desk string, err error) error {
	if fault, ok := errors.AsType[*signals.FieldError](err); ok && fault.Field == "id" {
		return invalid("agent", fault.Reason)
	}

	return s.deskProblem(ctx, desk, err)
}
