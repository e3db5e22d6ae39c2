package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/parleyhq/parley/signals"
)

const (
	// maxCount bounds pushes, rounds and other counts.
	maxCount = 100
	// maxChannels bounds the channels that one event is told to.
	maxChannels = 20
)

// faults collects what is wrong, each with the path of its field.
type faults []*signals.FieldError

func (f *faults) addf(field, format string, args ...any) {
	*f = append(*f, &signals.FieldError{Field: field, Reason: fmt.Sprintf(format, args...)})
}

// within checks a number against the least that its field may have, and maxCount.
func (f *faults) within(field string, value, least int) {
	switch {
	case value < least:
		f.addf(field, "must be at least %d", least)
	case value > maxCount:
		f.addf(field, "must be at most %d", maxCount)
	}
}

func (f *faults) err() error {
	errs := make([]error, 0, len(*f))
	for _, fault := range *f {
		errs = append(errs, fault)
	}

	return errors.Join(errs...)
}

// oneOf checks a value against the words that its field may have.
func oneOf[T ~string](f *faults, field string, value T, words ...T) {
	if slices.Contains(words, value) {
		return
	}

	texts := make([]string, 0, len(words))
	for _, word := range words {
		texts = append(texts, string(word))
	}

	f.addf(field, "must be one of %s, not %q", strings.Join(texts, ", "), string(value))
}

// Validate checks the policy by itself; the paths in its errors begin with
// field. All that is wrong is in one joined error of *[signals.FieldError].
func (p *Policy) Validate(field string) error {
	var f faults

	p.validate(&f, field)

	return f.err()
}

func (p *Policy) validate(f *faults, field string) {
	p.Unreplied.validate(f, field+".unreplied")

	f.within(field+".accept.rounds", p.Accept.Rounds, 1)
	p.Accept.End.validate(f, field+".accept.end")
	f.within(field+".reassign.max", p.Reassign.Max, 0)
	p.Queue.End.validate(f, field+".queue.end")

	if p.Idle.Warn > 0 && p.Idle.Close > 0 && p.Idle.Warn >= p.Idle.Close {
		f.addf(field+".idle.warn", "must be less than close (%s)", p.Idle.Close)
	}

	oneOf(f, field+".closeout.ticket", p.Closeout.Ticket,
		TicketAlways, TicketUnreplied, TicketOffline, TicketUnlessPlatform, TicketNever)
	oneOf(f, field+".closeout.escalation", p.Closeout.Escalation, FollowReopen, FollowSession)
	oneOf(f, field+".out_of_hours", p.OutOfHours, OutOfHoursPause, OutOfHoursOffline)

	if p.Hours != "" && !signals.ValidName(p.Hours) {
		f.addf(field+".hours", badName)
	}

	for _, event := range slices.Sorted(maps.Keys(p.Notify)) {
		path := field + ".notify." + string(event)
		if !notifiable(event) {
			f.addf(path, "is no event")
		}

		checkChannels(f, path, p.Notify[event])
	}
}

func (u *Unreplied) validate(f *faults, field string) {
	oneOf(f, field+".mode", u.Mode, ModeOwn, ModeRelay)
	oneOf(f, field+".bot_reply", u.BotReply, BotBeforeEscalation, BotAlways, BotNever)
	f.within(field+".max", u.Max, 1)
	f.within(field+".reassign_after", u.ReassignAfter, 0)

	for i, kind := range u.StartsOn {
		path := index(field+".starts_on", i)

		oneOf(f, path, kind, signals.KindText, signals.KindFile, signals.KindRich, signals.KindForm, signals.KindCustom)

		if slices.Contains(u.StartsOn[:i], kind) {
			f.addf(path, "is there twice")
		}
	}

	for _, push := range slices.Sorted(maps.Keys(u.FromPush)) {
		path := field + ".from_push." + strconv.Itoa(push)

		f.within(path, push, 1)
		checkChannels(f, path, u.FromPush[push])
	}
}

func (e End) validate(f *faults, field string) {
	if desk, ok := e.Desk(); ok {
		if !signals.ValidName(desk) {
			f.addf(field, "desk:<name>: the name "+badName)
		}

		return
	}

	switch e {
	case EndWait, EndOffline, EndClose:
	default:
		f.addf(field, "must be one of wait, offline, close, desk:<name>, not %q", string(e))
	}
}

const badName = "must be of the form [a-z0-9-], 1 to 40 characters"

func checkChannels(f *faults, field string, names []string) {
	if len(names) > maxChannels {
		f.addf(field, "must be at most %d channels", maxChannels)
	}

	for i, name := range names {
		if !signals.ValidName(name) {
			f.addf(index(field, i), badName)
		}

		if slices.Contains(names[:i], name) {
			f.addf(index(field, i), "is there twice")
		}
	}
}

func index(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

// notifiable reports whether t is an event that channels can be told of.
func notifiable(t signals.Type) bool {
	switch t {
	case signals.Unknown:
		return false
	case signals.ConversationQueued, signals.ConversationIdleWarned, signals.ConversationSnoozed,
		signals.ConversationReopened, signals.UnrepliedPushed, signals.InvitationSent, signals.InvitationEnded,
		signals.AgentReassigned, signals.TicketCreated, signals.TicketUpdated, signals.TicketFailed:
		return true
	default:
		return t.Incoming()
	}
}
