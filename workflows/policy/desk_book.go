package policy

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/parleyhq/parley/signals"
)

// maxDeskSnapshot bounds what each run of a desk carries in its history; in
// bytes of JSON.
const maxDeskSnapshot = 128 << 10

// DeskSnapshot is what one desk runs under. It is recorded in the desk's
// history, so it is plain data, holds no secret and is bounded.
type DeskSnapshot struct {
	Desk     string   `json:"desk"`
	Strategy Strategy `json:"strategy"`
	Wrapup   Duration `json:"wrapup"`
	// Hours is nil where the desk never closes.
	Hours      *Hours   `json:"hours,omitempty"`
	SkillWait  Duration `json:"skill_wait"`
	PreferLast bool     `json:"prefer_last,omitempty"`
	// Slots are those of an agent for whom nothing else is said.
	Slots int `json:"slots"`
	// Asks tells that a webhook is asked before each invitation, AskTimeout for
	// how long.
	Asks       bool     `json:"asks,omitempty"`
	AskTimeout Duration `json:"ask_timeout,omitempty"`
	// Agents have their slots and a status.
	Agents []DeskAgent `json:"agents,omitempty"`
}

// Desks holds every desk. It does not change, and may be used by many
// goroutines.
type Desks struct {
	desks map[string]Desk
	hours map[string]*Hours
}

// NewDesks checks the desks of a configuration, references included. All that is
// wrong is in one joined error of *[signals.FieldError] whose fields are paths in
// the configuration file.
func NewDesks(desks map[string]Desk, hours map[string]*Hours) (*Desks, error) {
	var f faults

	book := &Desks{desks: make(map[string]Desk, len(desks)), hours: maps.Clone(hours)}
	home := make(map[string]string)

	for _, name := range slices.Sorted(maps.Keys(desks)) {
		field := "desks." + name
		if !signals.ValidName(name) {
			f.addf(field, "the name "+badName)
		}

		desk := desks[name]
		desk = desk.clone()
		desk.validate(&f, field)

		if desk.Hours != "" && hours[desk.Hours] == nil {
			f.addf(field+".hours", "there are no hours called %q", desk.Hours)
		}

		for i := range desk.Agents {
			id := desk.Agents[i].ID
			if other, taken := home[id]; taken && other != name {
				f.addf(index(field+".agents", i), "is on the desk %s too; an agent belongs to one", other)
			}

			home[id] = name
		}

		book.desks[name] = desk
		book.bounded(&f, field, name)
	}

	if err := f.err(); err != nil {
		return nil, err
	}

	return book, nil
}

func (d *Desks) bounded(f *faults, field, name string) {
	data, err := json.Marshal(d.Snapshot(name))
	if err != nil {
		f.addf(field, "cannot be recorded: %s", err)

		return
	}

	if len(data) > maxDeskSnapshot {
		f.addf(field, "every run would carry %d bytes of it, at most %d: shorten agents, or its hours' holidays", len(data), maxDeskSnapshot)
	}
}

// Desk returns a desk by its name.
func (d *Desks) Desk(name string) (Desk, bool) {
	desk, ok := d.desks[name]

	return desk.clone(), ok
}

// Names returns the names of all desks in alphabetical order.
func (d *Desks) Names() []string { return slices.Sorted(maps.Keys(d.desks)) }

// Home returns the desk that an agent stands on, if a configuration says so.
func (d *Desks) Home(agent string) (string, bool) {
	for _, name := range d.Names() {
		desk := d.desks[name]
		if slices.ContainsFunc(desk.Agents, func(a DeskAgent) bool { return a.ID == agent }) {
			return name, true
		}
	}

	return "", false
}

// Snapshot returns what a desk runs under. One that is not configured has the
// defaults and no agents: it learns them.
func (d *Desks) Snapshot(name string) DeskSnapshot {
	desk, ok := d.desks[name]
	if !ok {
		desk = NewDesk()
	}

	snapshot := DeskSnapshot{
		Desk: name, Strategy: desk.Strategy, Wrapup: desk.Wrapup, Hours: d.hours[desk.Hours], SkillWait: desk.SkillWait,
		PreferLast: desk.PreferLast, Slots: desk.Slots, Agents: cloneAgents(desk.Agents),
	}

	if desk.Assign.URL != "" {
		snapshot.Asks, snapshot.AskTimeout = true, desk.Assign.Timeout
	}

	for i := range snapshot.Agents {
		agent := &snapshot.Agents[i]
		if agent.Slots == 0 {
			agent.Slots = desk.Slots
		}

		if agent.Status == "" {
			agent.Status = signals.AgentAccepting
		}
	}

	return snapshot
}
