package faults_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/conversation"
)

// settle waits until the desk and its conversations agree, with all agents
// accepting: each conversation is with an agent, in line, or over.
func (o *office) settle() {
	for _, g := range o.guests {
		if !o.cut[g.told.key] {
			continue
		}

		// A run that was terminated ends its session in nobody's hands: the visitor
		// has to come again. In the long form the desk has to find out for itself
		// before, if nobody came since.
		if long() && o.dead(g.told.key) {
			o.forgotten(g.told.key)
		}

		o.insist(g.plea())
	}

	begun := time.Now()
	o.agree()
	o.sayf("the desk and its conversations agree, %s after the visitors went quiet", time.Since(begun).Round(time.Millisecond))
}

// dead reports whether the newest run of a conversation was terminated.
func (o *office) dead(key signals.Key) bool {
	ctx, cancel := background(10 * time.Second)
	defer cancel()

	described, err := o.client().DescribeWorkflowExecution(ctx, key.WorkflowID(), "")

	return err == nil && described.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED
}

// forgotten waits until the desk holds nothing for a conversation.
func (o *office) forgotten(key signals.Key) {
	begun := time.Now()

	var there signals.DeskPosition

	o.await(patienceOfDesks, func() bool {
		var err error

		there, err = o.position(key)

		return err == nil && there.Status == ""
	}, func() string {
		return fmt.Sprintf("%s was terminated, and is still %s with %q at the desk\n%s", key, there.Status, there.Agent,
			o.history(signals.DeskWorkflowID(front)))
	})
	o.sayf("%s, terminated, holds nothing at the desk; looked for %s", key, time.Since(begun).Round(time.Millisecond))
}

// agree waits until desk and conversations say the same, and nobody waits while an
// agent is free.
func (o *office) agree() {
	var wrong string

	o.await(patienceOfDesks, func() bool {
		time.Sleep(250 * time.Millisecond)

		wrong = o.disagreement()

		return wrong == ""
	}, func() string {
		status, desk := o.one.get("/v1/desks/" + front)

		return fmt.Sprintf("%s\n%d %s\n%s", wrong, status, desk, o.history(signals.DeskWorkflowID(front)))
	})
}

// disagreement is the first thing in which they do not; "" where all is well.
func (o *office) disagreement() string {
	var desk signals.DeskView

	if !o.read("/v1/desks/"+front, &desk) {
		return "the desk cannot be read"
	}

	load, queued := map[string]int{}, 0

	for _, g := range o.guests {
		if o.book.of(g.told.key) == nil {
			continue // nobody came
		}

		view, ok := o.view(g.told.key, 0)
		if !ok {
			return g.told.key.String() + " cannot be read"
		}

		// Who came back after a close wants a person, too; and what came after the end
		// of a session, and may not begin one, waits for what may.
		if (view.Status == signals.StatusOpen && view.Pending == 0 || view.Status == signals.StatusClosed && view.Pending > 0) &&
			time.Since(g.pleaded) > 3*time.Second {
			g.pleaded = time.Now()
			o.insist(g.plea())
		}

		if wrong := o.differs(&view, &desk); wrong != "" {
			return fmt.Sprintf("%s: %s\n%s", g.told.key, wrong, o.tell(g.told.key))
		}

		if view.Status == signals.StatusActive {
			load[view.Agent]++
		}

		queued += map[signals.Status]int{signals.StatusQueued: 1}[view.Status]
	}

	for _, agent := range desk.Agents {
		if agent.Status != signals.AgentAccepting || agent.Load != load[agent.ID] {
			return fmt.Sprintf("%s is %s and has %d at the desk, and %d conversations say so", agent.ID, agent.Status, agent.Load, load[agent.ID])
		}
	}

	if desk.Waiting != queued || desk.Offered != 0 {
		return fmt.Sprintf("%d wait and %d are offered at the desk, and %d conversations are queued", desk.Waiting, desk.Offered, queued)
	}

	return ""
}

// differs says in what a conversation and the desk do not agree.
func (o *office) differs(view *signals.View, desk *signals.DeskView) string {
	there, err := o.position(signals.Key{Source: view.Source, Conversation: view.ID})

	switch {
	case err != nil:
		return err.Error()
	case view.Pending > 0:
		return fmt.Sprintf("%d events are pending", view.Pending)
	}

	good := false

	switch view.Status {
	case signals.StatusClosed:
		good = view.Ticket != nil && there.Status == ""
	case signals.StatusActive:
		good = there.Status == signals.DeskActive && there.Agent == view.Agent && !view.Unreplied
	case signals.StatusQueued:
		good = slices.Contains([]string{signals.DeskWaits, signals.DeskPauses, signals.DeskHasNone}, there.Status) &&
			!slices.ContainsFunc(desk.Agents, func(a signals.DeskAgent) bool { return a.Load < a.Slots })
	default: // something is still going on
	}

	if good {
		return ""
	}

	return fmt.Sprintf("it is %s with %q, unreplied %t, and at the desk %q with %q, whose agents are %s",
		view.Status, view.Agent, view.Unreplied, there.Status, there.Agent, loads(desk))
}

func loads(desk *signals.DeskView) string {
	var all []string

	for _, a := range desk.Agents {
		all = append(all, fmt.Sprintf("%s %s %d/%d", a.ID, a.Status, a.Load, a.Slots))
	}

	return strings.Join(all, ", ")
}

// position is where the desk has a conversation.
func (o *office) position(key signals.Key) (signals.DeskPosition, error) {
	var there signals.DeskPosition

	ctx, cancel := background(5 * time.Second)
	defer cancel()

	answer, err := o.client().QueryWorkflow(ctx, signals.DeskWorkflowID(front), "", signals.PositionQuery, key)
	if err != nil {
		return there, err
	}

	err = answer.Get(&there)

	return there, err
}

// tell is what is known of a conversation, for whoever looks for a fault.
func (o *office) tell(key signals.Key) string {
	status, view := o.one.get(pathOf(key))
	said, err := o.statements(key)

	var lines strings.Builder

	fmt.Fprintf(&lines, "%d %s\n", status, view)

	for i := range said {
		fmt.Fprintln(&lines, said[i].String())
	}

	if err != nil {
		fmt.Fprintln(&lines, err)
	}

	return lines.String()
}

// statement is one of a conversation's words to the desk, as its history has it.
type statement struct {
	signals.Ask
}

func (s *statement) String() string {
	return fmt.Sprintf("%s says %s %d/%d, agent %q, given %t, attempt %d, need %+v", s.At.Format("15:04:05.000"), s.Kind, s.Session,
		s.Number, s.Agent, s.Given, s.Attempt, s.Need)
}

// statements are all of a conversation's, over all its runs, in order.
func (o *office) statements(key signals.Key) ([]statement, error) {
	runs, err := o.runs(signals.ConversationWorkflow)
	if err != nil {
		return nil, err
	}

	var all []statement

	for _, run := range runs[key.WorkflowID()] {
		ctx, cancel := background(20 * time.Second)
		events := o.client().GetWorkflowHistory(ctx, key.WorkflowID(), run.GetExecution().GetRunId(), false,
			enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)

		for events.HasNext() && err == nil {
			var event *historypb.HistoryEvent

			if event, err = events.Next(); err == nil {
				all = append(all, statementsOf(event)...)
			}
		}

		cancel()
	}

	slices.SortFunc(all, func(a, b statement) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Session, b.Session), cmp.Compare(a.Number, b.Number))
	})

	return slices.CompactFunc(all, func(a, b statement) bool { return a.Session == b.Session && a.Number == b.Number }), err
}

// statementsOf are those that a dispatch hands over.
func statementsOf(event *historypb.HistoryEvent) []statement {
	sent := event.GetActivityTaskScheduledEventAttributes()
	if sent.GetActivityType().GetName() != conversation.DispatchActivity || len(sent.GetInput().GetPayloads()) == 0 {
		return nil
	}

	var (
		handed conversation.Dispatch
		all    []statement
	)

	if json.Unmarshal(sent.GetInput().GetPayloads()[0].GetData(), &handed) != nil {
		return nil
	}

	for i := range handed.Asks {
		if handed.Asks[i].Desk == front {
			all = append(all, statement{handed.Asks[i].Ask})
		}
	}

	return all
}

// span is one invitation in a conversation's history, and, where its agent took
// it, the time until the conversation let go of the agent.
type span struct {
	key     signals.Key
	session int
	agent   string
	round   string
	outcome string
	// from is when the conversation invited the agent; ended when the invitation was
	// over, to when the conversation said so of the agent.
	from, ended, to time.Time
}

func (s *span) String() string {
	const stamp = "15:04:05.000"

	return fmt.Sprintf("%s/%d: %s, %s, %q: %s, %s, %s", s.key, s.session, s.agent, s.round, s.outcome, s.from.Format(stamp),
		s.ended.Format(stamp), s.to.Format(stamp))
}

// never is later than everything.
func never() time.Time { return time.Now().Add(time.Hour) }

// spans are the invitations that a conversation's timelines tell of, in order.
//
// Their times are those of the workflow tasks that decided, by the one clock of
// the Temporal server. A conversation tells its desk of a decision only when its
// task is in history, the desk gives the slot away in a later task, and the next
// conversation invites in one that is later still. So a slot that is not given
// twice has spans that do not overlap, however the messages were delayed.
func spans(found *verdict, said []statement) []span {
	var all []span

	for i := range found.views {
		view := &found.views[i]
		last := -1 // the one that is open

		for _, line := range view.Timeline {
			who, rest, _ := strings.Cut(strings.TrimPrefix(line.Text, "to "), ", ")

			switch {
			case line.Type == signals.InvitationSent:
				all = append(all, span{
					key: found.key, session: view.Session, agent: who, round: rest, from: line.At, ended: never(), to: never(),
				})
				last = len(all) - 1
			case line.Type == signals.InvitationEnded && last >= 0 && all[last].agent == who:
				outcome, _, _ := strings.Cut(rest, ", ")
				all[last].outcome, all[last].ended, all[last].to = outcome, line.At, line.At

				if outcome == "accepted" {
					all[last].to = letGo(said, who, line.At)
				}

				last = -1
			default:
			}
		}
	}

	return all
}

// letGo is when a conversation first said that it is not an agent's any more.
func letGo(said []statement, agent string, since time.Time) time.Time {
	for i := range said {
		if s := &said[i]; !s.At.Before(since) && (s.Kind != signals.AskAccepted || s.Agent != agent) {
			return s.At
		}
	}

	return never()
}

// judgeDesk holds what happened to what a desk promises.
//
// Of conversations that were terminated neither invitations nor sessions are
// judged; their last session, the archive, and what the desk says are. A
// conversation's end frees a slot late and never early, so that the slots hold
// with terminated conversations as well. A desk that was terminated knows its
// slots and its rounds again by and by: from then on both are not judged, and
// everything else is.
func (o *office) judgeDesk(verdicts []*verdict) {
	var all []span

	for _, found := range verdicts {
		said, err := o.statements(found.key)
		if err != nil {
			o.Errorf("the histories of %s cannot be read: %v", found.key, err)

			return
		}

		invited := spans(found, said)
		o.judgeTaken(found.key, invited, said)
		o.judgeRounds(found, invited, said)
		o.judgeEnds(found, invited)

		all = append(all, invited...)
	}

	if !o.deskCut.IsZero() {
		all = slices.DeleteFunc(all, func(s span) bool { return s.from.After(o.deskCut) })
	}

	o.judgeSlots(all)

	for key := range o.cut {
		o.judgeCut(key)
	}

	ended, held := map[string]int{}, time.Duration(0)
	for i := range all {
		ended[all[i].outcome]++
		held += all[i].to.Sub(all[i].from)
	}

	o.mu.Lock()
	yes := len(o.taken)
	o.mu.Unlock()

	o.sayf("%d invitations, %v; %d accepts were answered with 2xx; slots were taken for %s in all", len(all), ended, yes,
		held.Round(time.Second))
}

// judgeSlots: no agent is invited to, or has, more conversations than slots at a
// time, those aside that the agent was given by name.
func (o *office) judgeSlots(all []span) {
	for _, agent := range deskAgents() {
		slots := deskSlots()[agent]

		var own []span

		for i := range all {
			if all[i].agent == agent {
				own = append(own, all[i])
			}
		}

		for i := range own {
			together := []string{}
			keys := map[signals.Key]bool{}

			// The most is reached where one begins.
			for k := range own {
				if !own[k].from.After(own[i].from) && own[k].to.After(own[i].from) && !keys[own[k].key] {
					keys[own[k].key] = true

					together = append(together, own[k].String())
				}
			}

			if len(together) <= slots {
				continue
			}

			o.Errorf("%s has %d slots and %d conversations at a time:\n%s\n%s", agent, slots, len(together), strings.Join(together, "\n"),
				o.tellAll(keys))

			break
		}
	}
}

func (o *office) tellAll(keys map[signals.Key]bool) string {
	var text strings.Builder

	for key := range keys {
		fmt.Fprintf(&text, "%s\n%s", key, o.tell(key))
	}

	return text.String()
}

// spoke reports whether an agent wrote to the visitor just before an accept was
// answered: whoever does so where nobody has the conversation has it, invited or
// not.
func (o *office) spoke(took *taking) bool {
	const late = 2 * time.Second // on its way

	return slices.ContainsFunc(o.book.of(took.key), func(f *fact) bool {
		return f.kind == spoken && f.event.Actor.ID == took.agent && f.event.At.After(took.asked.Add(-late)) && f.event.At.Before(took.told)
	})
}

// judgeTaken: whoever was told to have a conversation had been invited, and had
// it.
func (o *office) judgeTaken(key signals.Key, invited []span, said []statement) {
	o.mu.Lock()
	defer o.mu.Unlock()

	for _, took := range o.taken {
		if took.key != key {
			continue
		}

		ok := slices.ContainsFunc(invited, func(s span) bool {
			return s.agent == took.agent && s.outcome == "accepted" && !s.from.After(took.told) && !s.to.Before(took.asked)
		})

		// Accepting what one has succeeds: from before, given by name meanwhile, or
		// answered just now.
		for i := range said {
			s := &said[i]
			ok = ok || s.Kind == signals.AskAccepted && s.Agent == took.agent && !s.At.After(took.told) &&
				!letGo(said, s.Agent, s.At).Before(took.asked) && (s.At.Before(took.asked) || s.Given || o.spoke(&took))
		}

		if !ok {
			o.Errorf("%s accepted %s between %s and %s, was told so, and did not have it:\n%s", took.agent, key, took.asked.Format(time.RFC3339Nano),
				took.told.Format(time.RFC3339Nano), o.tell(key))
		}
	}
}

// judgeRounds: in one round of one wait nobody is invited twice. A wait ends when
// an agent has the conversation, when it is closed, and when another agent is to
// be asked; its rounds begin anew when the desk has told that there is nobody.
func (o *office) judgeRounds(found *verdict, invited []span, said []statement) {
	for i := range invited {
		for k := i + 1; k < len(invited); k++ {
			first, second := &invited[i], &invited[k]
			if first.session != second.session || first.agent != second.agent || first.round != second.round {
				continue
			}

			if !o.deskCut.IsZero() && second.from.After(o.deskCut) || anew(found, first, second, said) {
				continue
			}

			o.Errorf("%s was invited twice in one round:\n%s\n%s\n%s", first.agent, first, second, o.tell(found.key))
		}
	}
}

// judgeEnds: each invitation has ended, once, and none by its time before that was
// over.
func (o *office) judgeEnds(found *verdict, invited []span) {
	for i := range found.views {
		view := &found.views[i]
		sent := slices.DeleteFunc(slices.Clone(invited), func(s span) bool { return s.session != view.Session })
		ends := 0

		for _, line := range view.Timeline {
			if line.Type == signals.InvitationEnded {
				ends++
			}
		}

		open := slices.ContainsFunc(sent, func(s span) bool { return s.outcome == "" })
		if open || ends != len(sent) || len(view.Invitations) > len(sent) {
			o.Errorf("%s/%d: %d invitations were sent and %d have ended: %s", found.key, view.Session, len(sent), ends, o.tell(found.key))

			continue
		}

		// A view has the newest of them.
		for k := range view.Invitations {
			s := &sent[len(sent)-len(view.Invitations)+k]
			if due := view.Invitations[k].ExpiresAt; s.outcome == "expired" && s.ended.Before(due) {
				o.Errorf("%s: it ended %s early", s, due.Sub(s.ended))
			}
		}
	}
}

// anew reports whether rounds began anew between two invitations.
func anew(found *verdict, first, second *span, said []statement) bool {
	var need *signals.Need

	for i := range said {
		s := &said[i]
		if s.At.After(second.from) {
			break
		}

		if s.At.After(first.from) && (s.Need == nil || need == nil || !alike(need, s.Need)) {
			return true
		}

		need = s.Need
	}

	for i := range found.views {
		if found.views[i].Session == first.session && slices.ContainsFunc(found.views[i].Timeline, func(line signals.TimelineEntry) bool {
			return line.Type == signals.AgentsUnavailable && line.At.After(first.from) && !line.At.After(second.from)
		}) {
			return true
		}
	}

	return false
}

// alike reports whether the same agents may be asked in the same order.
func alike(a, b *signals.Need) bool {
	return a.Head == b.Head && a.Not == b.Not && a.Only == b.Only && a.Priority == b.Priority && slices.Equal(a.Skills, b.Skills)
}

// judgeCut: of a conversation that was terminated the archive has each event once,
// and nothing of it waits.
func (o *office) judgeCut(key signals.Key) {
	all, ok := o.archive(key)
	if !ok {
		o.Errorf("the archive of %s cannot be read", key)

		return
	}

	seen := map[string]int{}

	for i := range all {
		seen[markOf(&all[i].Event)]++

		if !slices.Contains([]string{"forwarded", "late", "ignored"}, all[i].State) {
			o.Errorf("%s: event %s is %s at rest", key, all[i].ID, all[i].State)
		}
	}

	for _, f := range o.book.of(key) {
		if times := seen[f.text]; times > 1 || times == 0 && f.state == accepted {
			o.Errorf("%s: event %q is in the archive %d times", key, f.text, times)
		}
	}

	if status, _ := o.one.get(pathOf(key)); status != http.StatusOK {
		o.Errorf("%s cannot be read: %d", key, status)
	}

	known := count(o.book.of(key))
	o.sum.Conversations++
	o.sum.Accepted += known.accepted
	o.sum.Unknown += known.unknown
}
