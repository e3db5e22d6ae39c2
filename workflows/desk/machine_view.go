package desk

import (
	"strconv"
	"time"

	"github.com/parleyhq/parley/signals"
)

// maxQueueShown is how much of the queue a view shows.
const maxQueueShown = 200

// View shows the desk as it stands now.
func (m *Machine) View(now time.Time) signals.DeskView { return m.view(now, maxQueueShown) }

func (m *Machine) view(now time.Time, rows int) signals.DeskView {
	at := max(stampOf(now), m.measured.At)
	view := signals.DeskView{
		Desk: m.Under.Desk, Strategy: string(m.Under.Strategy), Open: m.Under.Hours.Open(now), Waiting: len(m.line.list),
		Queue: []signals.DeskWaiting{}, Agents: []signals.DeskAgent{}, Measured: m.measurements(),
	}

	for _, a := range m.staff {
		if !a.Removed || len(a.has) > 0 {
			view.Agents = append(view.Agents, m.agentView(a))
		}
	}

	asks := ordered{less: m.inOrder}

	// Counted, and put in order.
	//workflowcheck:ignore
	for _, t := range m.talks {
		switch t.Stage {
		case offered:
			view.Offered++

			asks.insert(t)
		case held, reserved:
			view.Active++
		default:
		}
	}

	var oldest stamp

	ahead := crowd{}

	for _, t := range m.line.list {
		if oldest == 0 || t.Since < oldest {
			oldest = t.Since
		}

		if len(view.Queue) < rows {
			of := m.classFor(t, at)
			shown := m.waitingView(t, at)
			shown.Position = ahead.of(of) + 1
			shown.WaitSeconds = seconds(m.estimate(of, shown.Position-1, at))
			view.Queue = append(view.Queue, shown)
			ahead.add(of)
		}
	}

	for _, t := range asks.list {
		if len(view.Queue) < rows {
			view.Queue = append(view.Queue, m.waitingView(t, at))
		}
	}

	view.OldestSince = oldest.pointer()
	_, view.WaitSeconds = m.next(nil, at)

	return view.At(now)
}

func (m *Machine) waitingView(t *talk, at stamp) signals.DeskWaiting {
	key := t.key()
	shown := signals.DeskWaiting{
		Source: key.Source, Conversation: key.Conversation, WorkflowID: key.WorkflowID(), Status: status(t, at), Since: t.Since.time(),
		Skills: append([]string{}, t.skills()...), Priority: t.priority(), Head: t.Head, Round: t.Round,
	}

	if t.Stage == offered {
		shown.Agent, shown.Until = t.Agent, t.Until.pointer()
	}

	return shown
}

// status is the word for where a talk stands.
func status(t *talk, at stamp) string {
	switch t.Stage {
	case waiting:
	case offered:
		return signals.DeskOffered
	case reserved:
		return signals.DeskReserved
	case held:
		return signals.DeskActive
	case over:
		return ""
	}

	switch {
	case t.Told != "":
		return signals.DeskHasNone
	case t.Rest > at:
		return signals.DeskPauses
	default:
		return signals.DeskWaits
	}
}

func (m *Machine) agentView(a *agent) signals.DeskAgent {
	shown := signals.DeskAgent{
		ID: a.ID, Name: a.Name, Status: a.Status, Slots: a.Slots, Load: len(a.has), Skills: append([]string{}, a.Skills...),
		Priority: a.Priority, LastAssigned: a.Assigned.pointer(), Removed: a.Removed,
	}

	if a.Wrapup > m.measured.At {
		shown.WrapupUntil = a.Wrapup.pointer()
	}

	return shown
}

func (m *Machine) measurements() signals.DeskMeasured {
	return signals.DeskMeasured{
		HandleSeconds: m.handle(), AcceptSeconds: m.measured.Accept, FreedPerMinute: m.measured.perMinute(),
		Estimates: m.measured.Estimates, ErrorSeconds: m.measured.Error, BiasSeconds: m.measured.Bias, WaitSeconds: m.measured.Wait,
	}
}

// next tells how many are ahead of somebody who came now, and the wait.
func (m *Machine) next(skills []string, at stamp) (int64, *int64) {
	of := m.makeClass(skills, false, "", nil)
	ahead := crowd{}

	for _, t := range m.line.list {
		ahead.add(m.classFor(t, at))
	}

	depth := ahead.of(of)

	return int64(depth), seconds(m.openWait(m.estimate(of, depth, at), at))
}

// Availability tells whether somebody who needs this skill, empty for none, would
// find an agent, and after which wait.
func (m *Machine) Availability(skill string, now time.Time) signals.Availability {
	at := max(stampOf(now), m.measured.At)

	var skills []string
	if skill != "" {
		skills = []string{skill}
	}

	depth, wait := m.next(skills, at)
	open := m.Under.Hours.Open(now)
	accepting, room := 0, false

	for _, a := range m.makeClass(skills, false, "", nil).agents {
		accepting += one(a.accepts())
		room = room || a.hasRoom(at)
	}

	out := signals.Availability{Skill: skill, Open: &open, QueueDepth: &depth, WaitSeconds: wait, Status: "offline"}
	available := open && accepting > 0
	out.Available = &available

	switch {
	case available && room && depth == 0:
		out.Status = "online"
	case available:
		out.Status = "busy"
	}

	return out
}

// Position tells how a conversation stands.
func (m *Machine) Position(key signals.Key, now time.Time) signals.DeskPosition {
	at := max(stampOf(now), m.measured.At)

	id, err := idOf(key)
	if err != nil || m.talks[id] == nil {
		return signals.DeskPosition{}
	}

	t := m.talks[id]
	shown := signals.DeskPosition{Status: status(t, at), Agent: t.Agent, Depth: len(m.line.list), Session: t.Session, Number: t.Number}

	if a := m.agents[t.Agent]; a != nil {
		shown.AgentName = a.Name
	}

	if t.inLine() {
		position, wait := m.stand(t, at)
		shown.Position, shown.WaitSeconds = position, seconds(wait)
	}

	return shown
}

// seconds is absent where nobody knows.
func seconds(d time.Duration) *int64 {
	if d == unknown {
		return nil
	}

	whole := int64(d.Round(time.Second).Seconds())

	return &whole
}

func itoa(n int) string { return strconv.Itoa(n) }
