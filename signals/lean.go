package signals

// MaxEventBytes bounds one event within a [Batch], in bytes of JSON. One that is
// larger goes without what the platform says beside the point, and if that is
// not enough with its essence only; the archive keeps it whole.
const MaxEventBytes = 64 << 10

// Bounds of lists in an event that is too large, and of the text of one that
// keeps its essence only.
const (
	leanParticipants = 50
	leanTags         = 100
	leanName         = 256
	essenceText      = 4 << 10
)

// whole returns the event as it is.
func (e Event) whole() Event { return e }

// lean returns the event without the data of unknown shape, and with its lists
// cut. The texts stay.
func (e Event) lean() Event {
	if e.Platform != nil {
		platform := *e.Platform
		platform.ChatProperties, platform.PresenceUserIDs = nil, nil
		e.Platform = &platform
	}

	if e.Details != nil {
		details := *e.Details
		details.Properties, details.ThreadDetails = nil, nil
		details.Tags = details.Tags[:min(len(details.Tags), leanTags)]
		details.Participants = leanAll(details.Participants)
		e.Details = &details
	}

	if e.Participant != nil {
		e.Participant = &leanAll([]Participant{*e.Participant})[0]
	}

	if e.Customer != nil {
		customer := *e.Customer
		customer.Fields, customer.LastVisit, customer.Statistics, customer.SessionFields = nil, nil, nil, nil
		e.Customer = &customer
	}

	if e.Message != nil {
		message := *e.Message
		message.Rich, message.Custom, message.Properties = nil, nil, nil
		message.Truncated = true
		e.Message = &message
	}

	if e.Form != nil {
		form := *e.Form
		form.Fields, form.Properties = nil, nil
		e.Form = &form
	}

	if e.Properties != nil {
		e.Properties = &Properties{Scope: e.Properties.Scope, EventID: Cut(e.Properties.EventID, MaxIDBytes)}
	}

	e.Multicast = nil

	if e.Account != nil {
		account := *e.Account
		account.Data = nil
		e.Account = &account
	}

	return e
}

func leanAll(in []Participant) []Participant {
	out := make([]Participant, 0, min(len(in), leanParticipants))

	for i := range in[:min(len(in), leanParticipants)] {
		p := in[i]
		p.Name, p.Nickname = Cut(p.Name, leanName), Cut(p.Nickname, leanName)
		p.Email, p.Avatar = Cut(p.Email, leanName), ""
		p.Fields, p.Customer = nil, nil
		out = append(out, p)
	}

	return out
}

// essence returns what the machine must know: what happened, when, by whom,
// and the beginning of what was written.
func (e Event) essence() Event {
	out := Event{
		ID: Cut(e.ID, MaxIDBytes), Type: e.Type, Source: e.Source, Conversation: e.Conversation, Thread: Cut(e.Thread, MaxIDBytes),
		Session: e.Session, At: e.At, ReceivedAt: e.ReceivedAt, Seq: e.Seq, Inbox: e.Inbox,
	}

	if e.Actor != nil {
		out.Actor = &Actor{
			ID: Cut(e.Actor.ID, MaxIDBytes), Role: e.Actor.Role, Name: Cut(e.Actor.Name, leanName), Visibility: e.Actor.Visibility,
		}
	}

	if e.Message != nil {
		out.Message = &Message{
			ID: Cut(e.Message.ID, MaxIDBytes), Text: Cut(e.Message.Text, essenceText), Kind: e.Message.Kind,
			Visibility: e.Message.Visibility, Automatic: e.Message.Automatic, Truncated: true,
		}
	}

	if e.Form != nil {
		out.Form = &Form{Kind: e.Form.Kind, Text: Cut(e.Form.Text, essenceText)}
	}

	if e.Closing != nil {
		out.Closing = &Closing{ByID: Cut(e.Closing.ByID, MaxIDBytes), ByRole: e.Closing.ByRole, Reason: Cut(e.Closing.Reason, leanName)}
	}

	if e.Typing != nil {
		out.Typing = &Typing{On: e.Typing.On, Visibility: e.Typing.Visibility}
	}

	if e.Tag != nil {
		out.Tag = &Tag{Name: Cut(e.Tag.Name, MaxTagBytes)}
	}

	if e.Participant != nil {
		out.Participant = &Participant{
			ID: Cut(e.Participant.ID, MaxIDBytes), Role: e.Participant.Role, Visibility: e.Participant.Visibility,
		}
	}

	if e.Assignment != nil {
		out.Assignment = &Assignment{AgentID: Cut(e.Assignment.AgentID, MaxIDBytes), Desk: Cut(e.Assignment.Desk, leanName)}
	}

	e.essenceOfRest(&out)

	return out
}

func (e Event) essenceOfRest(out *Event) {
	if e.Preview != nil {
		out.Preview = &Preview{Text: Cut(e.Preview.Text, essenceText), Visibility: e.Preview.Visibility}
	}

	if e.Presence != nil {
		out.Presence = &Presence{State: e.Presence.State}
	}

	if e.Properties != nil {
		out.Properties = &Properties{Scope: e.Properties.Scope}
	}

	if e.Unreplied != nil {
		out.Unreplied = &Unreplied{
			Episode: e.Unreplied.Episode, PushTimes: e.Unreplied.PushTimes, Max: e.Unreplied.Max, Seconds: e.Unreplied.Seconds,
			Since: e.Unreplied.Since, Text: Cut(e.Unreplied.Text, essenceText), Status: Cut(e.Unreplied.Status, leanName),
			ReportedBy: Cut(e.Unreplied.ReportedBy, leanName),
		}
	}
}
