package conversation

import (
	"slices"
	"strconv"
	"time"

	"github.com/parleyhq/parley/signals"
)

// onTime is how late a push may be and still keep the rhythm of its episode;
// one that is later starts the rhythm anew, so that an outage ends in one push
// and never in a burst.
const onTime = time.Second

// pushDue is when the next push of the episode is due.
func (m *Machine) pushDue() (time.Time, bool) {
	rule := m.Under.Policy.Unreplied
	if m.Episode == nil || m.Episode.Pushes >= rule.Max {
		return time.Time{}, false
	}

	from, length := m.Episode.ClockAt, time.Duration(rule.First)
	if m.Episode.Pushes > 0 {
		from, length = m.Episode.PushedAt, time.Duration(rule.Repeat)
	}

	if length <= 0 {
		return time.Time{}, false
	}

	return m.after(from, length+m.Episode.Shift), true
}

// push tells the channels that the visitor is still unreplied.
func (m *Machine) push(due, now time.Time) {
	running, rule := m.Episode, m.Under.Policy.Unreplied

	if running.Pushes == 0 {
		m.Episodes++
		running.Number = m.Episodes
	}

	running.Pushes++
	running.Shift = 0
	running.PushedAt = now

	if now.Sub(due) <= min(onTime, time.Duration(rule.Repeat)/2) { //nolint:mnd // half a period can never make a burst
		running.PushedAt = due
	}

	event := signals.Event{
		Type: signals.UnrepliedPushed,
		Unreplied: &signals.Unreplied{
			Episode: running.Number, PushTimes: running.Pushes, Max: rule.Max, Seconds: int64(now.Sub(running.Since) / time.Second),
			Since: running.Since, MessageID: running.MessageID, Text: running.Text, Subject: m.Subject.Text,
			Property: prefer(m.Property.Text, m.Under.Title), AgentNickname: m.nameOf(m.Agent),
			Status: signals.UnrepliedOpen, ReportedBy: "parley",
		},
	}

	expires, _ := m.pushDue()
	m.announce(event, m.Under.Policy.PushChannels(running.Pushes), pushGroup(running.Number), expires, now)
	m.pushedTooOften(running.Pushes, now)
}

func pushGroup(number int) string { return "unreplied:" + strconv.Itoa(number) }

// cancelPushes is dispatched in the task that applies the reply: no attempt
// starts once it is in the delivery's history.
func (m *Machine) cancelPushes(group string) {
	for _, channel := range m.Under.Policy.PushChannels(m.Under.Policy.Unreplied.Max) {
		m.order(signals.Order{Kind: signals.OrderCancel, Target: channel, Group: group})
	}
}

// tell sends an incoming event to the channels that the policy names for it.
func (m *Machine) tell(event *signals.Event) {
	copied := event.Bounded()
	for _, channel := range m.channelsOf(event) {
		m.order(signals.Order{Kind: signals.OrderNotice, Target: channel, Event: &copied, About: m.about()})
	}
}

// channelsOf are the channels that an event is told to. A command that the
// platform did not carry out leaves the visitor with whoever is silent: who is
// told that nobody is available is told that, too.
func (m *Machine) channelsOf(event *signals.Event) []string {
	channels := m.Under.Policy.Notify[event.Type]

	if event.Note == nil || event.Note.Kind != signals.NotePlatformFailed {
		return channels
	}

	channels = slices.Clone(channels)

	for _, channel := range m.Under.Policy.Notify[signals.AgentsUnavailable] {
		if !slices.Contains(channels, channel) {
			channels = append(channels, channel)
		}
	}

	return channels
}

// tellOwn records and announces something that Parley did.
func (m *Machine) tellOwn(event signals.Event, now time.Time) {
	m.announce(event, m.Under.Policy.Notify[event.Type], "", time.Time{}, now)
}

func (m *Machine) announce(
	event signals.Event, channels []string, group string, expires, now time.Time,
) {
	m.complete(&event, now)
	m.note(&event, "")

	for _, channel := range channels {
		m.order(signals.Order{
			Kind: signals.OrderNotice, Target: channel, Group: group, ExpiresAt: expires, Event: &event, About: m.about(),
		})
	}
}

// complete fills in what every event of Parley's own carries.
func (m *Machine) complete(event *signals.Event, now time.Time) {
	event.ID = m.WorkflowID + "/" + strconv.Itoa(m.Session) + "/" + strconv.FormatInt(m.Counter+1, 10)
	event.Source, event.Conversation = m.Key.Source, m.Key.Conversation
	event.Thread, event.Session = m.thread().ID, m.Session
	event.At, event.ReceivedAt = now, now

	if event.Actor == nil {
		event.Actor = &signals.Actor{Role: signals.RoleSystem}
	}
}

func (m *Machine) about() *signals.About {
	return &signals.About{
		Subject: m.Subject.Text, Property: prefer(m.Property.Text, m.Under.Title), VisitorName: m.Visitor.Name.Text,
		VisitorNickname: m.Visitor.Nickname.Text, CustomerID: m.Visitor.ExternalID.Text,
		AgentID: m.Agent, AgentNickname: m.nameOf(m.Agent),
	}
}

// order numbers one effect and puts it out to be dispatched.
func (m *Machine) order(order signals.Order) {
	m.Counter++
	order.Counter, order.Session = m.Counter, m.Session
	order.Key = m.orderKey(m.Counter)
	m.Outbox = append(m.Outbox, order)
}

// orderKey is the idempotency key of an order of this session.
func (m *Machine) orderKey(counter int64) string {
	return m.WorkflowID + "/" + strconv.Itoa(m.Session) + "/" + strconv.FormatInt(counter, 10)
}
