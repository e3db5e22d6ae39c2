package webhooks

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/parleyhq/parley/signals"
)

// App gives tests the router without a listener.
func (s *Server) App() *fiber.App { return s.app }

// Quote gives tests the escaping of the query language.
func Quote(value string) string { return quote(value) }

// Routes lists what is registered: method and path.
func (s *Server) Routes() ([][2]string, error) {
	routes, err := s.routes()
	out := make([][2]string, 0, len(routes))

	for _, r := range routes {
		out = append(out, [2]string{r.method, r.path})
	}

	return out, err
}

// Coalescer is the memory of keystrokes.
type Coalescer struct{ *coalescer }

// NewCoalescer makes a memory of so many conversations.
func NewCoalescer(capacity int) Coalescer { return Coalescer{newCoalescer(capacity)} }

// Types brings one keystroke that is kept, and returns 1 if it is news.
func (c Coalescer) Types(conversation, actor string, now time.Time) int {
	news, turn := c.begin([]signals.Event{{
		Type: signals.TypingChanged, Source: "shop", Conversation: conversation,
		Actor: &signals.Actor{ID: actor}, Typing: &signals.Typing{On: true},
	}}, now)
	turn.end(true)

	return len(news)
}

// Begin brings the events of one webhook; what it returns ends it.
func (c Coalescer) Begin(events []signals.Event, now time.Time) (news []signals.Event, end func(accepted bool)) {
	news, turn := c.begin(events, now)

	return news, turn.end
}

// Len counts the conversations.
func (c Coalescer) Len() int { return len(c.byKey) }

// Typists counts those of one conversation.
func (c Coalescer) Typists(conversation string) int {
	return len(c.known(signals.Key{Source: "shop", Conversation: conversation}).said)
}
