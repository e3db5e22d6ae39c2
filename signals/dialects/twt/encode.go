package twt

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// Encode writes an event as TWT Chat would send it: a notice that a visitor is
// unreplied, or a form before the chat or offline. Each is a webhook of its own.
// For an event of another platform the webhook's id is made of the source's name.
func (Dialect) Encode(event signals.Event) ([]byte, error) {
	out, ok := NewWebhook(&event)
	if !ok {
		return nil, fmt.Errorf("%s: %w", event.Type, dialect.ErrNotEncodable)
	}

	notice := &out.Content[0]

	if ours(&event) {
		out.asSent(&event)
	} else {
		out.WebhookID = hash("source", event.Source)
		notice.Subject = cmp.Or(notice.Subject, DefaultSubject)
	}

	if notice.Status != nil {
		notice.asReported(event.Unreplied, out.CreatedAt)
	}

	if event.Actor != nil && event.Actor.Role == signals.RoleVisitor {
		notice.VisitorName, notice.VisitorNickname = event.Actor.Name, event.Actor.Nickname
	}

	if event.Customer != nil {
		notice.SBS = event.Customer.ExternalID
	}

	raw, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", event.Type, err)
	}

	return raw, nil
}

// ours reports whether TWT Chat itself sent the event.
func ours(event *signals.Event) bool {
	return event.Platform != nil && meaning(event.Platform.Event) != signals.Unknown
}

// asSent puts back what TWT Chat said of its own webhook.
func (w *Webhook) asSent(event *signals.Event) {
	w.WebhookID = event.Platform.WebhookID

	if !event.Platform.SentAt.IsZero() {
		w.CreatedAt = unix(event.Platform.SentAt)
	}

	if w.Event == eventUnreplied {
		w.Content[0].TimeSec = &event.Unreplied.Seconds
	}
}

// asReported puts back a status that only the platform knows, and leaves out a
// time that no live chat can have had.
func (n *Notice) asReported(u *signals.Unreplied, sent int64) {
	if _, known := statusWord(u.Status); !known {
		n.Status = &u.Status
	}

	if u.Since.IsZero() {
		n.CreatedAt = unix(after(time.Unix(sent, 0), -u.Seconds, time.Time{}))
	}
}
