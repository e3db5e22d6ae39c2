package tickets

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/delivery"
)

// The kinds of ticket system.
const (
	// KindStore keeps tickets in the embedded store and nowhere else.
	KindStore = "store"
	// KindWebhook posts each ticket to a URL as well.
	KindWebhook = "webhook"
)

// Config says where tickets are made.
type Config struct {
	// Kind is [KindStore] where it is empty.
	Kind string `yaml:"kind"`
	URL  string `yaml:"url"`
	// Secret signs what is posted; empty means unsigned.
	Secret string `yaml:"secret"`
	// Token goes out as a bearer token, if it is not empty.
	Token string `yaml:"token"`
}

// Validate reports a configuration that cannot work.
func (c Config) Validate() error {
	switch c.Kind {
	case "", KindStore:
		return nil
	case KindWebhook:
		if _, err := outbound.ParseURL(c.URL); err != nil {
			return &signals.FieldError{Field: "tickets.url", Reason: err.Error()}
		}

		return nil
	default:
		return &signals.FieldError{
			Field: "tickets.kind", Reason: fmt.Sprintf("%q is none of %s and %s", c.Kind, KindStore, KindWebhook),
		}
	}
}

// idempotencyHeader lets a ticket system tell a repeated request from a new
// one; its value stays the same over retries.
const idempotencyHeader = "Idempotency-Key"

// Bounds of what a ticket system's answer may put into a ticket, in bytes.
const (
	maxExternalID = 200
	maxURL        = 2048
)

// Poster makes requests; [outbound.Client] is one.
type Poster interface {
	Post(ctx context.Context, request *outbound.Request) (*outbound.Response, error)
}

// Webhook makes tickets in a ticket system by a POST of their JSON.
type Webhook struct {
	config Config
	poster Poster
	store  *Store
	now    func() time.Time
}

// NewWebhook returns a webhook; the store has the transcripts, which orders
// leave out.
func NewWebhook(config Config, poster Poster, store *Store) *Webhook {
	return &Webhook{config: config, poster: poster, store: store, now: time.Now}
}

// Send makes one attempt at one ticket. Its errors are [outbound.Failure]s, or
// the store's.
func (w *Webhook) Send(ctx context.Context, order *signals.Order) (delivery.Receipt, error) {
	if w.config.Kind != KindWebhook {
		return delivery.Receipt{}, outbound.Permanent("no ticket system is configured; name one under tickets:")
	}

	if order.Ticket == nil {
		return delivery.Receipt{}, outbound.Permanent("the order has no ticket")
	}

	request, err := w.render(ctx, order)
	if err != nil {
		return delivery.Receipt{}, err
	}

	response, err := w.poster.Post(ctx, request)
	if err != nil {
		return delivery.Receipt{}, err
	}

	if err := outbound.Judge(response, w.now()); err != nil {
		return delivery.Receipt{}, err
	}

	receipt := readAnswer(response)
	receipt.Detail = fmt.Sprintf("%d %s in %s", response.Status, http.StatusText(response.Status), response.Took.Round(time.Millisecond))

	return receipt, nil
}

func (w *Webhook) render(ctx context.Context, order *signals.Order) (*outbound.Request, error) {
	ticket := *order.Ticket

	if ticket.Transcript == nil && w.store != nil {
		kept, err := w.store.Ticket(ctx, ticket.ID)

		switch {
		case err == nil:
			ticket.Transcript = kept.Transcript
		case !errors.Is(err, ErrNotFound):
			return nil, err
		}
	}

	if ticket.Transcript == nil {
		ticket.Transcript = []signals.TranscriptLine{}
	}

	body, err := json.Marshal(ticket)
	if err != nil {
		return nil, outbound.Permanent("the ticket cannot be written as JSON")
	}

	header := http.Header{"Content-Type": {"application/json"}, idempotencyHeader: {order.Key}}
	if w.config.Token != "" {
		header.Set("Authorization", "Bearer "+w.config.Token)
	}

	if err := outbound.Sign(header, order.Key, body, w.config.Secret, w.now()); err != nil {
		return nil, fmt.Errorf("tickets: %w", err)
	}

	return &outbound.Request{URL: w.config.URL, Header: header, Body: body}, nil
}

// readAnswer takes the ticket's own id, a string or a number, and its URL from
// a receiver's answer. A receiver that says neither has made the ticket all
// the same: asking again could make another.
func readAnswer(response *outbound.Response) delivery.Receipt {
	var answer struct {
		ID  any `json:"id"`
		URL any `json:"url"`
	}

	decoder := json.NewDecoder(bytes.NewReader(response.Body))
	decoder.UseNumber()

	if response.Cut || decoder.Decode(&answer) != nil {
		return delivery.Receipt{}
	}

	var receipt delivery.Receipt

	switch id := answer.ID.(type) {
	case string:
		receipt.ExternalID = printable(id, maxExternalID)
	case json.Number:
		receipt.ExternalID = printable(id.String(), maxExternalID)
	}

	if link, ok := answer.URL.(string); ok && len(link) <= maxURL {
		if parsed, err := outbound.ParseURL(link); err == nil && parsed.User == nil {
			receipt.URL = parsed.String()
		}
	}

	return receipt
}

// printable drops what no id contains, and shortens.
func printable(text string, limit int) string {
	text = strings.Map(func(char rune) rune {
		if !unicode.IsPrint(char) {
			return -1
		}

		return char
	}, strings.ToValidUTF8(text, ""))

	return signals.Cut(strings.TrimSpace(text), limit)
}
