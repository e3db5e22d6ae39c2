package conversation

import (
	"slices"
	"time"

	"github.com/parleyhq/parley/signals"
)

const (
	maxMembers   = 50
	maxNameBytes = 64
	// maxIDBytes keeps a participant's id readable and the state bounded.
	maxIDBytes = 128
)

// enterActor learns about whoever an event names as its author.
func (m *Machine) enterActor(event *signals.Event) {
	actor := event.Actor
	if actor == nil || actor.Role == signals.RoleSystem {
		return
	}

	if actor.ID == "" && actor.Name == "" {
		return
	}

	if actor.Role == signals.RoleVisitor && !event.At.Before(m.Visitor.At) {
		m.Visitor.ID = prefer(actor.ID, m.Visitor.ID)
		m.Visitor.Name = prefer(signals.Cut(actor.Name, maxNameBytes), m.Visitor.Name)
		m.Visitor.Nickname = prefer(signals.Cut(actor.Nickname, maxNameBytes), m.Visitor.Nickname)
		m.Visitor.At = event.At
	}

	if actor.ID == "" {
		return
	}

	who := m.member(actor.ID)
	who.learn(actor.Role, actor.Name, actor.Nickname, actor.Visibility)
}

// learn keeps what is known; only a proven role replaces another.
func (w *member) learn(role signals.Role, name, nickname string, visibility signals.Visibility) {
	if role != "" && role != signals.RoleUnknown {
		w.Role = role
	}

	w.Name = prefer(signals.Cut(name, maxNameBytes), w.Name)
	w.Nickname = prefer(signals.Cut(nickname, maxNameBytes), w.Nickname)

	if visibility != "" {
		w.Visibility = visibility
	}
}

// member finds or makes the roster's entry of id. When the roster is full the
// one who was seen least goes.
func (m *Machine) member(id string) *member {
	id = signals.Cut(id, maxIDBytes)

	for i := range m.Roster {
		if m.Roster[i].ID == id {
			return &m.Roster[i]
		}
	}

	if len(m.Roster) >= maxMembers {
		oldest := 0

		for i := range m.Roster {
			if m.Roster[i].newest().Before(m.Roster[oldest].newest()) && m.Roster[i].ID != m.Agent {
				oldest = i
			}
		}

		m.Roster = slices.Delete(m.Roster, oldest, oldest+1)
	}

	m.Roster = append(m.Roster, member{ID: id, Role: signals.RoleUnknown})

	return &m.Roster[len(m.Roster)-1]
}

func (w *member) newest() time.Time {
	return latest(latest(w.JoinedAt, w.LeftAt), latest(w.ClaimedAt, w.SpokeAt))
}

// present reports whether w is in the conversation: joined, assigned or
// speaking later than they left.
func (w *member) present() bool {
	return !w.newest().IsZero() && latest(latest(w.JoinedAt, w.ClaimedAt), w.SpokeAt).After(w.LeftAt)
}

// enterPresence takes a join or a leave.
func (m *Machine) enterPresence(event *signals.Event) {
	if event.Participant == nil {
		return
	}

	present := event.Type == signals.ParticipantJoined
	m.enterParticipant(event.Participant, event.At, &present)
}

func (m *Machine) enterParticipant(participant *signals.Participant, at time.Time, present *bool) {
	if participant.ID == "" {
		return
	}

	who := m.member(participant.ID)
	who.learn(participant.Role, participant.Name, participant.Nickname, participant.Visibility)

	switch {
	case present == nil: // named, and nothing said about being there
	case *present:
		who.JoinedAt = latest(who.JoinedAt, at)

		if m.roleOf(who.ID, participant.Role) == signals.RoleAgent && who.Visibility != signals.VisibleToAgents {
			who.ClaimedAt = latest(who.ClaimedAt, at)
		}
	default:
		who.LeftAt = latest(who.LeftAt, at)
	}

	if m.roleOf(who.ID, participant.Role) == signals.RoleVisitor {
		m.enterVisitor(participant, at)
	}
}

func (m *Machine) enterVisitor(participant *signals.Participant, at time.Time) {
	if at.Before(m.Visitor.At) {
		return
	}

	m.Visitor.ID = prefer(participant.ID, m.Visitor.ID)
	m.Visitor.Name = prefer(signals.Cut(participant.Name, maxNameBytes), m.Visitor.Name)
	m.Visitor.Nickname = prefer(signals.Cut(participant.Nickname, maxNameBytes), m.Visitor.Nickname)
	m.Visitor.ExternalID = prefer(signals.Cut(participant.ExternalID, maxNameBytes), m.Visitor.ExternalID)
	m.Visitor.At = at

	if participant.Customer != nil {
		m.enterCustomer(participant.Customer, at)
	}
}

// enterAway takes somebody's going away and coming back, the newest word of
// each by its own time.
func (m *Machine) enterAway(event *signals.Event) {
	if event.Presence == nil || event.Actor == nil {
		return
	}

	away := event.Presence.State != signals.PresenceBack

	if m.roleOf(event.Actor.ID, event.Actor.Role) == signals.RoleVisitor {
		if away {
			m.AwaySince = latest(m.AwaySince, event.At)
		} else {
			m.BackSince = latest(m.BackSince, event.At)
		}

		return
	}

	if event.Actor.ID == "" {
		return
	}

	who := m.member(event.Actor.ID)
	if !event.At.Before(who.StatusAt) {
		who.Away, who.StatusAt = away, event.At
	}
}

// claim makes an agent the assignee from at on.
func (m *Machine) claim(id, name, nickname string, at time.Time) {
	if id == "" {
		return
	}

	who := m.member(id)
	who.learn(signals.RoleAgent, name, nickname, "")
	who.ClaimedAt = latest(who.ClaimedAt, at)
}

// assignee is the present agent with the newest claim; where nobody claims, the
// one who spoke first. Claims from before a transfer to a group are void.
func (m *Machine) assignee() string {
	var best *member

	for i := range m.Roster {
		who := &m.Roster[i]
		if who.holds(m.ClaimsFloor) && (best == nil || who.before(best, m.ClaimsFloor)) {
			best = who
		}
	}

	if best == nil {
		return ""
	}

	return best.ID
}

func (w *member) holds(floor time.Time) bool {
	return w.Role == signals.RoleAgent && w.present() && (w.ClaimedAt.After(floor) || w.SpokeAt.After(floor))
}

// before orders two who hold: a claim goes before mere speaking, a newer claim
// before an older one, who spoke first before who spoke later; then the id, so
// that equal times have one answer.
func (w *member) before(other *member, floor time.Time) bool {
	claims, others := w.ClaimedAt.After(floor), other.ClaimedAt.After(floor)
	if claims != others {
		return claims
	}

	if claims && !w.ClaimedAt.Equal(other.ClaimedAt) {
		return w.ClaimedAt.After(other.ClaimedAt)
	}

	if !claims && !w.SpokeAt.Equal(other.SpokeAt) {
		return w.SpokeAt.Before(other.SpokeAt)
	}

	return w.ID < other.ID
}

// lastHeld returns when the last agent who had the conversation left it; ok is
// false where none had it.
func (m *Machine) lastHeld() (time.Time, bool) {
	var left time.Time

	for i := range m.Roster {
		who := &m.Roster[i]
		if who.Role == signals.RoleAgent && latest(who.ClaimedAt, who.SpokeAt).After(m.ClaimsFloor) {
			left = latest(left, who.LeftAt)
		}
	}

	return left, !left.IsZero()
}

// lastClaim is the newest time at which an agent took the conversation.
func (m *Machine) lastClaim() time.Time {
	var at time.Time

	for i := range m.Roster {
		if m.Roster[i].Role == signals.RoleAgent {
			at = latest(at, latest(m.Roster[i].ClaimedAt, m.Roster[i].SpokeAt))
		}
	}

	return at
}

// roleOf says who id is: what the payload proved, else the roster, else the
// source's lists, else the dialect's id rule (contract, section 2).
func (m *Machine) roleOf(id string, claimed signals.Role) signals.Role {
	if claimed != "" && claimed != signals.RoleUnknown {
		return claimed
	}

	if id == "" {
		return signals.RoleUnknown
	}

	short := signals.Cut(id, maxIDBytes)

	for i := range m.Roster {
		if m.Roster[i].ID == short && m.Roster[i].Role != signals.RoleUnknown {
			return m.Roster[i].Role
		}
	}

	if slices.Contains(m.Under.Agents, id) {
		return signals.RoleAgent
	}

	if slices.Contains(m.Under.Bots, id) {
		return signals.RoleBot
	}

	return signals.RoleByID(m.Under.Dialect, id)
}

// nameOf returns how an agent is called: nickname, else name, else "".
func (m *Machine) nameOf(id string) string {
	for i := range m.Roster {
		if m.Roster[i].ID == id {
			return prefer(m.Roster[i].Nickname, m.Roster[i].Name)
		}
	}

	return ""
}
