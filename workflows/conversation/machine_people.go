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

	if actor.Role == signals.RoleVisitor {
		m.Visitor.learn(actor.ID, actor.Name, actor.Nickname, "", event.At)
	}

	if actor.ID == "" {
		return
	}

	who := m.member(actor.ID)
	who.learn(actor.Role, actor.Name, actor.Nickname, actor.Visibility, event.At)
}

// learn enters what an event says about the visitor; the newest word wins.
func (v *visitor) learn(id, name, nickname, externalID string, at time.Time) {
	v.ID.set(personID(id), at)
	v.Name.set(clip(name, maxNameBytes), at)
	v.Nickname.set(clip(nickname, maxNameBytes), at)
	v.ExternalID.set(clip(externalID, maxIDBytes), at)
}

// learn keeps what is known; only a proven role replaces another.
func (w *member) learn(role signals.Role, name, nickname string, visibility signals.Visibility, at time.Time) {
	if role != signals.RoleUnknown {
		w.Proven.set(string(role), at)
	}

	w.Role = signals.Role(prefer(w.Proven.Text, string(w.Role)))
	w.Name.set(clip(name, maxNameBytes), at)
	w.Nickname.set(clip(nickname, maxNameBytes), at)
	w.Visibility.set(string(visibility), at)
}

// hidden reports whether only agents see w: a supervisor.
func (w *member) hidden() bool { return w.Visibility.Text == string(signals.VisibleToAgents) }

// claimed is the newest time at which w took the conversation: assigned,
// accepted, or joined where the visitor sees them.
func (w *member) claimed() time.Time {
	if w.Role != signals.RoleAgent || w.hidden() {
		return time.Time{}
	}

	return latest(w.ClaimedAt, w.JoinedAt)
}

// member finds or makes the roster's entry of id. When the roster is full the
// one who was seen least goes.
func (m *Machine) member(id string) *member {
	id = personID(id)

	for i := range m.Roster {
		if m.Roster[i].ID == id {
			return &m.Roster[i]
		}
	}

	if len(m.Roster) >= maxMembers {
		oldest := -1

		for i := range m.Roster {
			if m.Roster[i].ID == m.Agent {
				continue
			}

			if oldest < 0 || m.Roster[i].newest().Before(m.Roster[oldest].newest()) {
				oldest = i
			}
		}

		m.Roster = slices.Delete(m.Roster, oldest, oldest+1)
	}

	m.Roster = append(m.Roster, member{ID: id, Role: signals.RoleUnknown})

	return &m.Roster[len(m.Roster)-1]
}

func (w *member) newest() time.Time {
	return latest(latest(w.JoinedAt, w.LeftAt), latest(w.ClaimedAt, w.LastAt))
}

// present reports whether w is in the conversation: joined, assigned or
// speaking later than they left.
func (w *member) present() bool {
	return !w.newest().IsZero() && latest(latest(w.JoinedAt, w.ClaimedAt), w.LastAt).After(w.LeftAt)
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
	who.learn(participant.Role, participant.Name, participant.Nickname, participant.Visibility, at)

	switch {
	case present == nil: // named, and nothing said about being there
	case *present:
		who.JoinedAt = latest(who.JoinedAt, at)
		who.ReceivedAt = latest(who.ReceivedAt, m.receivedAt)
	default:
		who.LeftAt = latest(who.LeftAt, at)
		who.ReceivedAt = latest(who.ReceivedAt, m.receivedAt)
	}

	if m.roleOf(who.ID, participant.Role) == signals.RoleVisitor {
		m.enterVisitor(participant, at)
	}
}

func (m *Machine) enterVisitor(participant *signals.Participant, at time.Time) {
	m.Visitor.learn(participant.ID, participant.Name, participant.Nickname, participant.ExternalID, at)
	m.enterCustomer(participant.Customer, at)
}

// enterAway takes somebody's going away and coming back, the newest word of
// each by its own time.
func (m *Machine) enterAway(event *signals.Event) {
	if event.Presence == nil || event.Actor == nil {
		return
	}

	away, back, received := &m.AwaySince, &m.BackSince, &m.AwayReceivedAt

	if event.Actor.ID != "" {
		who := m.member(event.Actor.ID)
		away, back, received = &who.AwayAt, &who.BackAt, &who.ReceivedAt
	} else if event.Actor.Role != signals.RoleVisitor {
		return
	}

	*received = latest(*received, m.receivedAt)

	if event.Presence.State == signals.PresenceBack {
		*back = latest(*back, event.At)
	} else {
		*away = latest(*away, event.At)
	}
}

// visitorSeen is the visitor's newest sign of life, and whether they went away
// since.
func (m *Machine) visitorSeen() (time.Time, bool) {
	seen, away, back := m.VisitorAt, m.AwaySince, m.BackSince

	for i := range m.Roster {
		if who := &m.Roster[i]; who.Role == signals.RoleVisitor {
			seen = latest(seen, who.SeenAt)
			away = latest(away, who.AwayAt)
			back = latest(back, latest(who.BackAt, who.SeenAt))
		}
	}

	return seen, away.After(back)
}

// claim makes an agent the assignee from at on.
func (m *Machine) claim(id, name, nickname string, at time.Time) {
	if id == "" {
		return
	}

	who := m.member(id)
	who.learn(signals.RoleAgent, name, nickname, "", at)
	who.ClaimedAt = latest(who.ClaimedAt, at)
	who.ReceivedAt = latest(who.ReceivedAt, m.receivedAt)
}

// give is a claim that somebody else makes for an agent, who need not be there.
func (m *Machine) give(id, name, nickname string, at time.Time) {
	m.claim(id, name, nickname, at)

	if id != "" {
		who := m.member(id)
		who.GivenAt = latest(who.GivenAt, at)
	}
}

// given reports whether an agent's newest claim is somebody else's doing.
func (m *Machine) given(id string) bool {
	who := m.find(id)

	return who != nil && !who.GivenAt.IsZero() && !who.claimed().After(who.GivenAt)
}

// assignee is the present agent with the newest claim; where nobody claims, the
// one who spoke first. Void claims do not count.
func (m *Machine) assignee() string {
	var best *member

	floor := m.claimsFloor()

	for i := range m.Roster {
		who := &m.Roster[i]
		if who.holds(floor) && (best == nil || who.before(best, floor)) {
			best = who
		}
	}

	if best == nil {
		return ""
	}

	return best.ID
}

func (w *member) holds(floor time.Time) bool {
	return w.Role == signals.RoleAgent && !w.hidden() && w.present() && (w.claimed().After(floor) || w.SpokeAt.After(floor))
}

// before orders two who hold: a claim goes before mere speaking, a newer claim
// before an older one, who spoke first before who spoke later; then the id, so
// that equal times have one answer.
func (w *member) before(other *member, floor time.Time) bool {
	claims, others := w.claimed().After(floor), other.claimed().After(floor)
	if claims != others {
		return claims
	}

	if claims && !w.claimed().Equal(other.claimed()) {
		return w.claimed().After(other.claimed())
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

	floor := m.claimsFloor()

	for i := range m.Roster {
		who := &m.Roster[i]
		if who.Role == signals.RoleAgent && !who.hidden() && latest(who.claimed(), who.SpokeAt).After(floor) {
			left = latest(left, who.LeftAt)
		}
	}

	return left, !left.IsZero()
}

// lastClaim is the newest time at which an agent took the conversation.
func (m *Machine) lastClaim() time.Time {
	var at time.Time

	for i := range m.Roster {
		if who := &m.Roster[i]; who.Role == signals.RoleAgent && !who.hidden() {
			at = latest(at, latest(who.claimed(), who.SpokeAt))
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

	short := personID(id)

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
			return prefer(m.Roster[i].Nickname.Text, m.Roster[i].Name.Text)
		}
	}

	return ""
}
