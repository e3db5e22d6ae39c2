// Package notify brings notices to channels: to the terminal, or over HTTP in
// the form that each kind of channel wants.
package notify

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/delivery"
)

// kind is how one kind of channel is spoken to. Rendering and judging are pure,
// so that both are tested against recorded samples.
type kind interface {
	// render makes the request for an order; the same order makes the same
	// body, whenever it is tried.
	render(order *signals.Order, to *named, now time.Time) (*outbound.Request, error)
	// judge reads the answer: nil, or an [outbound.Failure]. Some platforms
	// say no with a 200.
	judge(response *outbound.Response, now time.Time) error
}

// named is a channel with its name.
type named struct {
	Channel

	name string
}

// kinds holds every kind of channel that is reached over HTTP.
func kinds() map[string]kind {
	return map[string]kind{KindWebhook: webhook{}}
}

// Poster makes requests; [outbound.Client] is one.
type Poster interface {
	Post(ctx context.Context, request *outbound.Request) (*outbound.Response, error)
}

// Notifier sends notices to the configured channels.
type Notifier struct {
	channels Config
	poster   Poster
	printer  *Printer
	now      func() time.Time
}

// New returns a notifier; printer serves the channels of kind log.
func New(channels Config, poster Poster, printer *Printer) *Notifier {
	return &Notifier{channels: channels, poster: poster, printer: printer, now: time.Now}
}

// Prints reports whether a channel is this process's own terminal or log.
func (n *Notifier) Prints(channel string) bool {
	found, ok := n.channels.lookup(channel)

	return ok && found.Kind == KindLog
}

// Print writes a notice to the terminal or the log.
func (n *Notifier) Print(ctx context.Context, order *signals.Order) error {
	return n.printer.Print(ctx, order)
}

// Send makes one attempt at one notice. Its errors are [outbound.Failure]s
// and name no URL and no secret.
func (n *Notifier) Send(ctx context.Context, order *signals.Order) (delivery.Receipt, error) {
	channel, ok := n.channels.lookup(order.Target)
	if !ok {
		return delivery.Receipt{}, outbound.Permanent(fmt.Sprintf("there is no channel called %q; name it under channels:", order.Target))
	}

	if order.Event == nil {
		return delivery.Receipt{}, outbound.Permanent("the notice has no event")
	}

	if channel.Kind == KindLog {
		if err := n.printer.Print(ctx, order); err != nil {
			return delivery.Receipt{}, err
		}

		return delivery.Receipt{Detail: "printed"}, nil
	}

	how, ok := kinds()[channel.Kind]
	if !ok {
		return delivery.Receipt{}, outbound.Permanent(fmt.Sprintf("channel %q has the unknown kind %q", order.Target, channel.Kind))
	}

	return n.post(ctx, how, order, &named{Channel: channel, name: order.Target})
}

func (n *Notifier) post(ctx context.Context, how kind, order *signals.Order, to *named) (delivery.Receipt, error) {
	request, err := how.render(order, to, n.now())
	if err != nil {
		return delivery.Receipt{}, err
	}

	response, err := n.poster.Post(ctx, request)
	if err != nil {
		return delivery.Receipt{}, err
	}

	if err := how.judge(response, n.now()); err != nil {
		return delivery.Receipt{}, err
	}

	return delivery.Receipt{
		Detail: fmt.Sprintf("%d %s in %s", response.Status, http.StatusText(response.Status), response.Took.Round(time.Millisecond)),
	}, nil
}
