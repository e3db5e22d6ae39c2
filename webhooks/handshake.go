package webhooks

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/gofiber/fiber/v2"

	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// SecretStore keeps the secrets with which platforms introduced themselves.
type SecretStore interface {
	// PinSecret keeps the first secret of a source; another one is an error.
	PinSecret(ctx context.Context, source, secret string) error
	// PinnedSecret returns it, empty for none.
	PinnedSecret(ctx context.Context, source string) (string, error)
}

// pins are the pinned secrets in memory.
type pins struct {
	mu      sync.RWMutex
	secrets map[string]string
}

func (p *pins) get(source string) string {
	p.mu.RLock()
	defer p.mu.RUnlock()

	return p.secrets[source]
}

func (p *pins) set(source, secret string) {
	p.mu.Lock()
	defer p.mu.Unlock()

	if p.secrets == nil {
		p.secrets = make(map[string]string)
	}

	p.secrets[source] = secret
}

// loadPins reads what was pinned before this start.
func (s *Server) loadPins() error {
	if s.deps.Secrets == nil {
		return nil
	}

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	for _, name := range s.names {
		if _, shakes := s.sources[name].Dialect.(dialect.Handshaker); !shakes {
			continue
		}

		secret, err := s.deps.Secrets.PinnedSecret(ctx, name)
		if err != nil {
			return fmt.Errorf("read the secret of %s: %w", name, err)
		}

		if secret != "" {
			s.pins.set(name, secret)
		}
	}

	return nil
}

// pinned returns the source with the secret that its platform introduced itself
// with, beside the configured ones.
func (s *Server) pinned(source *Source) *Source {
	secret := s.pins.get(source.Name)
	if secret == "" {
		return source
	}

	whole := *source
	whole.Secrets = append(slices.Clone(source.Secrets), secret)

	return &whole
}

// handshake answers a platform that introduces itself; done is false for every
// other request. The secret is on disk before it is echoed.
func (s *Server) handshake(c *fiber.Ctx, source *Source, req dialect.Request) (done bool, err error) {
	shaker, shakes := source.Dialect.(dialect.Handshaker)
	if !shakes || s.deps.Secrets == nil {
		return false, nil
	}

	secret, answer, ok := shaker.Handshake(req, source.Source)
	if !ok {
		return false, nil
	}

	if secret != "" {
		ctx, cancel := context.WithTimeout(s.work, patience)
		defer cancel()

		if err := s.deps.Secrets.PinSecret(ctx, source.Name, secret); err != nil {
			s.log.ErrorContext(ctx, "handshake not kept", slog.String("source", source.Name), slog.Any("error", err))
			s.count(source, err)

			return true, sendRefusal(c, source.Dialect.Refuse(req, err))
		}

		s.pins.set(source.Name, secret)
		s.log.InfoContext(ctx, "secret pinned: close the enrolment", slog.String("source", source.Name))
	}

	return true, send(c, answer)
}
