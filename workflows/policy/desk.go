package policy

import (
	"log/slog"
	"slices"
	"strings"
	"unicode"

	"github.com/parleyhq/parley/signals"
)

// Strategy says which of the agents who can take a conversation is asked first.
type Strategy string

// The strategies. Whatever they say, an agent who was asked in this round is
// not asked again, and the one it was taken from is asked last.
const (
	// StrategyLeastBusy asks who has the smallest part of the slots taken, and of
	// several the one who has waited longest.
	StrategyLeastBusy Strategy = "least_busy"
	// StrategyLongestIdle asks who has had nothing for the longest time.
	StrategyLongestIdle Strategy = "longest_idle"
	// StrategyRoundRobin asks one after the other, by their ids.
	StrategyRoundRobin Strategy = "round_robin"
	// StrategyPriority asks the group with the lowest number first, within it the
	// least busy.
	StrategyPriority Strategy = "priority"
)

const (
	defaultSlots         = 1
	maxAssignTimeout     = defaultAssignTimeout
	maxSlots             = 1000
	maxDeskAgents        = 500
	maxSkills            = 20
	maxSkill             = 64
	maxName              = 80
	maxPriority          = 1000
	defaultAssignTimeout = 5 * Duration(1e9)
)

// Desk is a queue with its agents, as the configuration writes it.
type Desk struct {
	Strategy Strategy `yaml:"strategy" desc:"who is asked first: least_busy, longest_idle, round_robin or priority"`
	Wrapup   Duration `yaml:"wrapup"   desc:"an agent's pause after a conversation; 0s is none"`
	Hours    string   `yaml:"hours"    desc:"calendar in which the desk is open; empty is always"`
	// SkillWait is when whoever waits is offered to agents without the skills,
	// too; zero is never.
	SkillWait  Duration `yaml:"skill_wait"  desc:"how long the skills asked for are insisted on; 0s is always"`
	PreferLast bool     `yaml:"prefer_last" desc:"ask the agent first whom the visitor had last"`
	Slots      int      `yaml:"slots"       desc:"conversations at a time of agents for whom nothing else is said"`
	// Assign is asked who shall have a conversation; what it does not answer in
	// time is decided here.
	Assign DeskAssign `yaml:"assign"`
	// Agents are those of the desk. A desk without any learns them from what the
	// platform says.
	Agents []DeskAgent `yaml:"agents"`
}

// DeskAssign is a webhook that is asked for an agent before each invitation.
type DeskAssign struct {
	URL     string   `yaml:"url"     desc:"address that is asked who shall have a conversation; empty asks nobody" secret:"path"`
	Secret  string   `yaml:"secret"  desc:"what the question is signed with"                                      secret:"true"`
	Timeout Duration `yaml:"timeout" desc:"how long an answer may take"`
}

// DeskAgent is one agent of a desk.
type DeskAgent struct {
	ID       string   `json:"id"               yaml:"id"       desc:"the agent's id on the platform"`
	Name     string   `json:"name,omitempty"   yaml:"name"     desc:"what colleagues and visitors call the agent"`
	Slots    int      `json:"slots"            yaml:"slots"    desc:"conversations at a time; 0 is what the desk says"`
	Skills   []string `json:"skills,omitempty" yaml:"skills"   desc:"groups that the agent knows about"`
	Priority int      `json:"priority"         yaml:"priority" desc:"group under the strategy priority, the lowest first"`
	Status   string   `json:"status"           yaml:"status"   desc:"until something else is said: accepting, not_accepting or offline"`
}

// NewDesk returns a desk with the defaults of what a configuration leaves out.
func NewDesk() Desk {
	return Desk{Strategy: StrategyLeastBusy, Slots: defaultSlots, Assign: DeskAssign{Timeout: defaultAssignTimeout}}
}

// LogValue keeps the secret and the address out of logs.
func (d Desk) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("strategy", string(d.Strategy)), slog.Int("agents", len(d.Agents)), slog.Bool("assign", d.Assign.URL != ""),
	)
}

// clone returns a copy that shares nothing with d.
func (d *Desk) clone() Desk {
	out := *d
	out.Agents = cloneAgents(d.Agents)

	return out
}

func cloneAgents(agents []DeskAgent) []DeskAgent {
	out := slices.Clone(agents)

	for i := range out {
		out[i].Skills = slices.Clone(out[i].Skills)
	}

	return out
}

// validate checks the desk by itself; the address of its webhook is checked by
// who calls it.
func (d *Desk) validate(f *faults, field string) {
	oneOf(f, field+".strategy", d.Strategy, StrategyLeastBusy, StrategyLongestIdle, StrategyRoundRobin, StrategyPriority)
	slotsWithin(f, field+".slots", d.Slots, 1)

	if d.Assign.URL != "" && (d.Assign.Timeout <= 0 || d.Assign.Timeout > maxAssignTimeout) {
		f.addf(field+".assign.timeout", "must be more than 0s and at most %s", maxAssignTimeout)
	}

	if len(d.Agents) > maxDeskAgents {
		f.addf(field+".agents", "must be at most %d", maxDeskAgents)
	}

	seen := make(map[string]bool, len(d.Agents))

	for i := range d.Agents {
		agent, path := &d.Agents[i], index(field+".agents", i)
		agent.validate(f, path)

		if seen[agent.ID] {
			f.addf(path+".id", "is there twice")
		}

		seen[agent.ID] = true
	}
}

func (a *DeskAgent) validate(f *faults, field string) {
	if a.ID == "" || len(a.ID) > signals.MaxIDBytes {
		f.addf(field+".id", "must be 1 to %d bytes", signals.MaxIDBytes)
	}

	if strings.ContainsFunc(a.ID, unicode.IsControl) {
		f.addf(field+".id", "holds control characters")
	}

	if len(a.Name) > maxName {
		f.addf(field+".name", "must be at most %d bytes", maxName)
	}

	slotsWithin(f, field+".slots", a.Slots, 0)

	if a.Priority < -maxPriority || a.Priority > maxPriority {
		f.addf(field+".priority", "must be from %d to %d", -maxPriority, maxPriority)
	}

	if a.Status != "" {
		oneOf(f, field+".status", a.Status, signals.AgentAccepting, signals.AgentNotAccepting, signals.AgentOffline)
	}

	if len(a.Skills) > maxSkills {
		f.addf(field+".skills", "must be at most %d", maxSkills)
	}

	for i, skill := range a.Skills {
		if skill == "" || len(skill) > maxSkill {
			f.addf(index(field+".skills", i), "must be 1 to %d bytes", maxSkill)
		}

		if strings.ContainsFunc(skill, unicode.IsControl) {
			f.addf(index(field+".skills", i), "holds control characters")
		}
	}
}

func slotsWithin(f *faults, field string, slots, least int) {
	if slots < least || slots > maxSlots {
		f.addf(field, "must be from %d to %d", least, maxSlots)
	}
}
