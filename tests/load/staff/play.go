package staff

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/tests/load/drive"
)

// look is how often agents look for what is offered to them.
const look = 100 * time.Millisecond

// Chat is what became of one conversation, by the clock of this program.
type Chat struct {
	// Escalated is when its first webhook was sent, Found when an agent saw the
	// offer and sent the acceptance, Accepted when it was answered, Ended when the
	// close was sent.
	Escalated, Found, Accepted, Ended time.Time
}

// Played is what was done.
type Played struct {
	// Begin is when the first conversation was escalated.
	Begin time.Time
	// Chats stand by their number in the plan.
	Chats []Chat
	Book  *Book
	// Acks are the times from the sending of a webhook to its 2xx.
	Acks []time.Duration
	// Refused were answered with 503 and sent again.
	Refused int64
}

// Progress counts while it goes on; it may be read at any time.
type Progress struct{ Escalated, Taken, Ended atomic.Int64 }

// Play escalates all conversations of a plan over this many connections, and
// lets the agents take and close them, until all are closed.
func Play(ctx context.Context, client *drive.Client, plan *Plan, connections int, progress *Progress) (*Played, error) {
	p := &play{
		client: client, plan: plan, progress: progress,
		played: &Played{Begin: time.Now(), Chats: make([]Chat, plan.Total()), Book: NewBook(plan.Slots)},
		number: make(map[string]int, plan.Total()),
	}

	for number := range plan.Total() {
		p.number[plan.Key(number).String()] = number
	}

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return p.visitors(ctx, connections) })
	group.Go(func() error { return p.agents(ctx, group) })

	return p.played, group.Wait()
}

type play struct {
	client   *drive.Client
	plan     *Plan
	progress *Progress
	number   map[string]int

	mu     sync.Mutex
	played *Played
}

// visitors escalate, each connection one after the other.
func (p *play) visitors(ctx context.Context, connections int) error {
	group, ctx := errgroup.WithContext(ctx)

	var next atomic.Int64

	for range connections {
		group.Go(func() error {
			for {
				number := int(next.Add(1)) - 1
				if number >= p.plan.Total() {
					return nil
				}

				p.played.Chats[number].Escalated = time.Now()

				if err := p.post(ctx, number, p.plan.Escalated(number)); err != nil {
					return err
				}

				p.progress.Escalated.Add(1)
			}
		})
	}

	return group.Wait()
}

// agents look for what is offered to them until everything is taken, and have
// each chat in a goroutine of the group.
func (p *play) agents(ctx context.Context, group *errgroup.Group) error {
	ticker := time.NewTicker(look)
	defer ticker.Stop()

	for {
		if err := p.round(ctx, group); err != nil {
			return err
		}

		if p.played.Book.Taken() == p.plan.Total() {
			return nil
		}

		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d were taken: %w", p.played.Book.Taken(), p.plan.Total(), ctx.Err())
		case <-ticker.C:
		}
	}
}

// round takes everything that is offered now.
func (p *play) round(ctx context.Context, group *errgroup.Group) error {
	for cursor, first := "", true; first || cursor != ""; first = false {
		page, ok := p.offered(cursor)
		if !ok {
			// What is not answered now is with the next look.
			return nil
		}

		for _, one := range page.Conversations {
			if err := p.take(ctx, group, one); err != nil {
				return err
			}
		}

		cursor = page.Next
	}

	return nil
}

// page of GET /v1/conversations, as far as an agent needs it.
type page struct {
	Conversations []invited `json:"conversations"`
	Next          string    `json:"next"`
}

// invited is a conversation that is offered to an agent.
type invited struct {
	ID      string `json:"id"`
	Source  string `json:"source"`
	Offered string `json:"offered"`
}

func (p *play) offered(cursor string) (page, bool) {
	const path = "/v1/conversations?status=offered&limit=200"

	var found page

	address := path
	if cursor != "" {
		address += "&cursor=" + cursor
	}

	body, ok := p.client.Get(address)

	return found, ok && json.Unmarshal(body, &found) == nil
}

func (p *play) take(ctx context.Context, group *errgroup.Group, one invited) error {
	key := signals.Key{Source: one.Source, Conversation: one.ID}

	number, known := p.number[key.String()]
	if !known || one.Offered == "" {
		return nil
	}

	fresh, err := p.played.Book.Take(key.String(), one.Offered)
	if err != nil || !fresh {
		return err
	}

	group.Go(func() error { return p.chat(ctx, number, one.Offered) })

	return nil
}

// chat is one conversation of an agent.
func (p *play) chat(ctx context.Context, number int, agent string) error {
	chat := &p.played.Chats[number]
	chat.Found = time.Now()

	if err := p.accept(ctx, number, agent); err != nil {
		return err
	}

	chat.Accepted = time.Now()
	p.progress.Taken.Add(1)

	if err := p.post(ctx, number, p.plan.Greeted(number, agent)); err != nil {
		return err
	}

	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Until(chat.Accepted.Add(p.plan.Handle))):
	}

	p.played.Book.Leave(agent)

	chat.Ended = time.Now()

	if err := p.post(ctx, number, p.plan.Ended(number, agent)); err != nil {
		return err
	}

	p.progress.Ended.Add(1)

	return nil
}

// accept tells the conversation, which refuses it if somebody else has it.
func (p *play) accept(ctx context.Context, number int, agent string) error {
	body, err := json.Marshal(p.plan.Accepting(agent))
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}

	key := p.plan.Key(number)

	_, err = p.client.Post(ctx, "/v1/conversations/"+key.Source+"/"+url.PathEscape(key.Conversation)+"/accept", body)
	if err != nil {
		return errors.Join(fmt.Errorf("%s accepts %s", agent, key), err)
	}

	return nil
}

func (p *play) post(ctx context.Context, number int, events []signals.Event) error {
	body, err := json.Marshal(events)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}

	begun := time.Now()

	refused, err := p.client.Post(ctx, "/webhooks/"+p.plan.Key(number).Source, body)
	if err != nil {
		return errors.Join(fmt.Errorf("tell %s", p.plan.Key(number)), err)
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	p.played.Acks = append(p.played.Acks, time.Since(begun))
	p.played.Refused += int64(refused)

	return nil
}
