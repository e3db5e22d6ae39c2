package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// The bounds of the server's log: one line per message and window, a bounded number of messages remembered, and
// values cut to so many bytes. A restart on existing files is known to log the same complaint thousands of times.
const (
	repeatWindow   = 10 * time.Second
	maxRemembered  = 256
	maxValueLength = 1024
)

// pageSizeComplaint is about the UI, which asks for more events at once than the server gives; it costs nothing, and
// would greet everybody who opens a workflow (service/frontend/workflow_handler.go).
const pageSizeComplaint = "GetHistory page size is larger than threshold"

// serverLogger hands the Temporal server's log to slog. Fatal does not end the process: while the server is being put
// together it becomes Start's error, afterwards a line of level error.
type serverLogger struct {
	gate  *logGate
	attrs []slog.Attr
}

// logGate is what all loggers of one server share.
type logGate struct {
	out   *slog.Logger
	level slog.Level
	// quiet turns everything to level debug: starting and stopping complain about what is only not up yet, or gone.
	quiet atomic.Bool
	// building is set while fatal messages come from the goroutine that builds the server.
	building atomic.Bool

	mu        sync.Mutex
	repeats   map[string]*repeat
	lastError string
}

type repeat struct {
	until      time.Time
	suppressed int
}

// fatalError is what Fatal panics with while the server is built; build recovers it.
type fatalError struct{ text string }

func (e fatalError) Error() string { return e.text }

// portTaken reports whether a service could not listen; the server says so in its log only, as text.
func (e fatalError) portTaken() bool { return strings.HasSuffix(e.text, syscall.EADDRINUSE.Error()) }

// concerns reports whether the text names an address.
func (e fatalError) concerns(addr netip.AddrPort) bool {
	return strings.Contains(e.text, " "+addr.String()+":")
}

func newServerLogger(out *slog.Logger, level slog.Level) *serverLogger {
	gate := &logGate{out: out, level: level, repeats: make(map[string]*repeat)}
	return &serverLogger{gate: gate}
}

// With implements log.WithLogger.
func (l *serverLogger) With(tags ...tag.Tag) log.Logger {
	attrs := make([]slog.Attr, 0, len(l.attrs)+len(tags))
	return &serverLogger{gate: l.gate, attrs: appendTags(append(attrs, l.attrs...), tags)}
}

func (l *serverLogger) Debug(msg string, tags ...tag.Tag)  { l.log(slog.LevelDebug, msg, tags) }
func (l *serverLogger) Info(msg string, tags ...tag.Tag)   { l.log(slog.LevelInfo, msg, tags) }
func (l *serverLogger) Warn(msg string, tags ...tag.Tag)   { l.log(slog.LevelWarn, msg, tags) }
func (l *serverLogger) Error(msg string, tags ...tag.Tag)  { l.log(slog.LevelError, msg, tags) }
func (l *serverLogger) DPanic(msg string, tags ...tag.Tag) { l.log(slog.LevelError, msg, tags) }
func (l *serverLogger) Panic(msg string, tags ...tag.Tag)  { l.log(slog.LevelError, msg, tags) }

func (l *serverLogger) Fatal(msg string, tags ...tag.Tag) {
	l.log(slog.LevelError, msg, tags)
	if l.gate.building.Load() {
		panic(fatalError{text: describe(msg, tags)})
	}
}

func (l *serverLogger) log(level slog.Level, msg string, tags []tag.Tag) {
	gate := l.gate
	if level < gate.level {
		return
	}
	if level >= slog.LevelError {
		gate.remember(describe(msg, tags))
	}
	suppressed := 0
	if gate.quiet.Load() || msg == pageSizeComplaint {
		level = slog.LevelDebug
	} else {
		var ok bool
		if suppressed, ok = gate.admit(msg, time.Now()); !ok {
			return
		}
	}
	ctx := context.Background()
	if !gate.out.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, len(l.attrs)+len(tags)+1)
	attrs = appendTags(append(attrs, l.attrs...), tags)
	if suppressed > 0 {
		attrs = append(attrs, slog.Int("suppressed", suppressed))
	}
	gate.out.LogAttrs(ctx, level, msg, attrs...) //nolint:sloglint // the message is the server's
}

// admit lets one message of a kind pass per window; its number says how many it has swallowed since the last.
func (g *logGate) admit(msg string, now time.Time) (int, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	seen := g.repeats[msg]
	if seen != nil && now.Before(seen.until) {
		seen.suppressed++
		return 0, false
	}
	if seen == nil {
		if len(g.repeats) >= maxRemembered {
			clear(g.repeats)
		}
		seen = new(repeat)
		g.repeats[msg] = seen
	}
	suppressed := seen.suppressed
	*seen = repeat{until: now.Add(repeatWindow)}
	return suppressed, true
}

func (g *logGate) remember(text string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lastError = text
}

// last is the newest error that the server logged, to explain why it does not come up.
func (g *logGate) last() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.lastError
}

func appendTags(attrs []slog.Attr, tags []tag.Tag) []slog.Attr {
	for _, t := range tags {
		if t == nil || t.Key() == "" {
			continue
		}
		attrs = append(attrs, slog.String(strings.ReplaceAll(t.Key(), "-", "_"), cut(fmt.Sprint(t.Value()))))
	}
	return attrs
}

func describe(msg string, tags []tag.Tag) string {
	for _, t := range tags {
		if t != nil && t.Key() == "error" {
			return fmt.Sprintf("%s: %s", msg, cut(fmt.Sprint(t.Value())))
		}
	}
	return msg
}

func cut(text string) string {
	if len(text) <= maxValueLength {
		return text
	}
	return strings.ToValidUTF8(text[:maxValueLength], "") + "…"
}
