package conversation

import (
	"encoding/json"

	"github.com/parleyhq/parley/signals"
)

// Card is what the Temporal UI shows.
func Card(m *Machine) string { return card(m) }

// BoundTags gives tests the bounds of the search attribute.
func BoundTags(tags []string) []string { return boundTags(tags) }

// Fit gives tests the cut by encoded size.
func Fit(text string, limit int) string { return fit(text, limit) }

// Stated is what the machine's desk should know by now, and what it was told.
func Stated(m *Machine) (string, string) {
	said := m.Talk.Said

	return stated(m.statement()), stated(signals.Ask{Kind: said.Kind, Agent: said.Agent, Need: said.Need})
}

func stated(ask signals.Ask) string {
	if needing(ask.Kind) {
		ask.Kind, ask.Agent = signals.AskRequest, ""
		need := *ask.Need
		need.Visitor, need.Since = "", need.Since.UTC()
		ask.Need = &need
	} else {
		ask.Need = nil
	}

	if ask.Kind == "" {
		ask.Kind = signals.AskRelease
	}

	data, err := json.Marshal(struct {
		Kind  signals.AskKind `json:"kind"`
		Agent string          `json:"agent"`
		Need  *signals.Need   `json:"need"`
	}{ask.Kind, ask.Agent, ask.Need})
	if err != nil {
		return err.Error()
	}

	return string(data)
}

// OldRules make the machine decide as before there were desks.
func OldRules() Rules { return RulesFor(rulesPlain) }
