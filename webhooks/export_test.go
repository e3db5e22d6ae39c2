package webhooks

import (
	"time"

	"github.com/gofiber/fiber/v2"
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

// Recent is the memory of recent ids.
type Recent struct{ *recent }

// NewRecent makes a memory of so many ids.
func NewRecent(capacity int) Recent { return Recent{newRecent(capacity)} }

// Add remembers an id.
func (r Recent) Add(id string, until time.Time) { r.add(idOf("shop", "c", id), until) }

// Seen asks for an id.
func (r Recent) Seen(id string, now time.Time) bool { return r.seen(idOf("shop", "c", id), now) }

// Len counts what is remembered.
func (r Recent) Len() int { return len(r.until) }
