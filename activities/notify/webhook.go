package notify

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/twt"
)

// webhook is the custom webhook: unreplied notices and forms in the form of
// TWT Chat (lifecycle, section 5), everything else as the canonical event.
type webhook struct{}

func (webhook) render(order *signals.Order, to *named, now time.Time) (*outbound.Request, error) {
	body, err := json.Marshal(webhookBody(order, to.name))
	if err != nil {
		return nil, outbound.Permanent("the notice cannot be written as JSON")
	}

	header := http.Header{"Content-Type": {"application/json"}}
	if err := outbound.Sign(header, order.Key, body, to.Secret, now); err != nil {
		return nil, fmt.Errorf("channel %s: %w", to.name, err)
	}

	return &outbound.Request{URL: to.URL, Header: header, Body: body}, nil
}

func (webhook) judge(response *outbound.Response, now time.Time) error {
	return outbound.Judge(response, now)
}

func webhookBody(order *signals.Order, channel string) any {
	out, ok := twt.NewWebhook(order.Event)
	if !ok || order.Event.Type == signals.UnrepliedReported {
		bare := *order.Event
		bare.Raw = nil

		return bare
	}

	out.WebhookID = webhookID(channel)
	about(&out.Content[0], order)

	return out
}

// webhookID is what TWT Chat calls the unique identifier of a webhook: 32
// hexadecimal digits that stay the same for a channel.
func webhookID(channel string) string {
	sum := sha256.Sum256([]byte("channel:" + channel))

	return hex.EncodeToString(sum[:16])
}

// about fills in what every notice says of its conversation; what the event
// says itself goes first.
func about(notice *twt.Notice, order *signals.Order) {
	known := signals.About{}
	if order.About != nil {
		known = *order.About
	}

	notice.Subject = cmp.Or(notice.Subject, known.Subject, twt.DefaultSubject)
	notice.PropertyName = cmp.Or(notice.PropertyName, known.Property)
	notice.AssignedAgentNickname = cmp.Or(notice.AssignedAgentNickname, known.AgentNickname)
	notice.VisitorName, notice.VisitorNickname, notice.SBS = known.VisitorName, known.VisitorNickname, known.CustomerID

	if actor := order.Event.Actor; notice.VisitorName == "" && actor != nil && actor.Role == signals.RoleVisitor {
		notice.VisitorName = actor.Name
	}
}
