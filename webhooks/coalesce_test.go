package webhooks_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/webhooks"
	"github.com/parleyhq/parley/webhooks/inbox"
)

// types is a keystroke with a fresh id.
func (e *edge) types(fields string) string {
	return fmt.Sprintf(`{"id":"k%d","type":"typing.changed","conversation":"c",%s}`, e.number.Add(1), fields)
}

// kept posts a webhook and returns how many events were accepted and how many
// were not.
func (e *edge) kept(body string) [2]int {
	e.t.Helper()

	got := e.do(http.MethodPost, "/webhooks/shop", body)
	require.Equal(e.t, http.StatusOK, got.status, got.body)

	fields := got.fields(e.t)
	accepted, ok := fields["accepted"].(float64)
	require.True(e.t, ok)

	duplicates, ok := fields["duplicates"].(float64)
	require.True(e.t, ok)
	require.Equal(e.t, []any{"/v1/conversations/shop/c"}, fields["conversations"])

	return [2]int{int(accepted), int(duplicates)}
}

const (
	annTypes   = `"actor":{"id":"ann","role":"visitor"},"typing":{"on":true}`
	annStops   = `"actor":{"id":"ann","role":"visitor"},"typing":{"on":false}`
	smithTypes = `"actor":{"id":"smith","role":"agent"},"typing":{"on":true}`
	whispers   = `"actor":{"id":"smith","role":"agent"},"typing":{"on":true,"visibility":"agents"}`
)

func TestTypingIsCoalesced(t *testing.T) {
	t.Parallel()

	var (
		news   = [2]int{1, 0}
		silent = [2]int{0, 1}
	)

	e := newEdge(t)
	require.Equal(t, news, e.kept(e.types(annTypes)))
	require.Equal(t, silent, e.kept(e.types(annTypes)))
	require.Equal(t, news, e.kept(e.types(smithTypes)), "somebody else")
	require.Equal(t, news, e.kept(e.types(whispers)), "for another audience")
	require.Equal(t, silent, e.kept(e.types(annTypes)), "the others change nothing about her")
	require.Equal(t, news, e.kept(e.types(annStops)))
	require.Equal(t, silent, e.kept(e.types(annStops)))
	require.Equal(t, news, e.kept(e.types(annTypes)))
	require.Equal(t, news, e.kept(e.types(`"thread":"T2",`+annTypes)), "in another thread")

	e.clock.advance(5*time.Second - time.Millisecond)
	require.Equal(t, silent, e.kept(e.types(smithTypes)))
	e.clock.advance(time.Millisecond)
	require.Equal(t, news, e.kept(e.types(smithTypes)), "counted from the one that was kept")

	require.Equal(t, news, e.kept(message("c", "m1")))
	require.Equal(t, news, e.kept(e.types(smithTypes)), "after a message it is news")
	require.Equal(t, silent, e.kept(e.types(smithTypes)))

	for _, one := range e.calls {
		require.NotEmpty(t, one.events, "nothing new was written")
	}

	require.Equal(t, 5, e.doubled["shop"])
}

func TestPreviewsAreCoalesced(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	preview := func(text string) string {
		return fmt.Sprintf(`{"id":"p%d","type":"message.preview","conversation":"c","preview":{"text":%q}}`, e.number.Add(1), text)
	}

	require.Equal(t, [2]int{1, 0}, e.kept(preview("He")))
	require.Equal(t, [2]int{1, 0}, e.kept(preview("Hello")))
	require.Equal(t, [2]int{0, 1}, e.kept(preview("Hello")))
	require.Equal(t, [2]int{1, 0}, e.kept(preview("He")))
	require.Equal(t, [2]int{1, 0}, e.kept(e.types(`"typing":{"on":true}`)), "typing is something else")
}

func TestCoalescingWithinOneWebhook(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	many := func(events ...string) string { return "[" + strings.Join(events, ",") + "]" }

	require.Equal(t, [2]int{1, 2}, e.kept(many(e.types(annTypes), e.types(annTypes), e.types(annTypes))))
	require.Equal(t, [2]int{2, 1}, e.kept(many(e.types(annTypes), e.types(annStops), e.types(annTypes))))
	require.Equal(t, [2]int{2, 1}, e.kept(many(e.types(annTypes), message("c", "m1"), e.types(annTypes))))
	require.Equal(t, [2]int{1, 0}, e.kept(message("c", "m2")))
	require.Equal(t, [2]int{2, 0}, e.kept(many(e.types(annTypes), message("c", "m3"))))
	require.Equal(t, [2]int{1, 0}, e.kept(e.types(annTypes)))
}

// TestWhatWasNotKeptIsNotRemembered: only what is on disk makes a repeat silent.
func TestWhatWasNotKeptIsNotRemembered(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	e.failFor["c"] = inbox.ErrFull
	e.do(http.MethodPost, "/webhooks/shop", e.types(annTypes)).isProblem(t, http.StatusServiceUnavailable, "unavailable")

	e.mu.Lock()
	delete(e.failFor, "c")
	e.mu.Unlock()

	require.Equal(t, [2]int{1, 0}, e.kept(e.types(annTypes)))

	// A failure afterwards leaves nobody sure of anything.
	e.mu.Lock()
	e.failFor["c"] = inbox.ErrFull
	e.mu.Unlock()
	e.do(http.MethodPost, "/webhooks/shop", e.types(annStops)).isProblem(t, http.StatusServiceUnavailable, "unavailable")

	e.mu.Lock()
	delete(e.failFor, "c")
	e.mu.Unlock()

	require.Equal(t, [2]int{1, 0}, e.kept(e.types(annTypes)))
}

// TestKeystrokesAtOnce: of two on their way nobody knows which came last, so
// that neither makes the next one silent.
func TestKeystrokesAtOnce(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	require.Equal(t, [2]int{1, 0}, e.kept(e.types(annTypes)))
	e.hold = make(chan struct{})

	var posting sync.WaitGroup

	before := e.entered.Load()

	for _, fields := range []string{annStops, smithTypes} {
		body := e.types(fields)

		posting.Go(func() { e.kept(body) })
	}

	require.Eventually(t, func() bool { return e.entered.Load() == before+2 }, 5*time.Second, time.Millisecond)
	close(e.hold)
	posting.Wait()

	require.Equal(t, [2]int{1, 0}, e.kept(e.types(annStops)))
	require.Equal(t, [2]int{1, 0}, e.kept(e.types(smithTypes)))
	require.Equal(t, [2]int{0, 1}, e.kept(e.types(smithTypes)))
}

// TestPropertyCoalescingLosesNothing brings keystrokes and messages in any
// interleaving of their beginning, their way to disk and their end: what is left
// out is what the disk said last, and no message came after it.
func TestPropertyCoalescingLosesNothing(t *testing.T) {
	t.Parallel()

	type flight struct {
		event     signals.Event
		committed bool
		end       func(bool)
	}

	rapid.Check(t, func(t *rapid.T) {
		var (
			memory  = webhooks.NewCoalescer(2)
			now     = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
			disk    []signals.Event
			ended   = map[string]bool{}
			flights []*flight
		)

		last := func(about *signals.Event) (keystroke, message int) {
			keystroke, message = -1, -1

			for i := range disk {
				switch one := &disk[i]; {
				case one.Conversation != about.Conversation:
				case one.Typing == nil && ended[one.ID]:
					message = i
				case one.Typing != nil && one.Actor.ID == about.Actor.ID:
					keystroke = i
				}
			}

			return keystroke, message
		}

		for number := range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch step := rapid.IntRange(0, 4).Draw(t, "step"); {
			case step < 2:
				event := signals.Event{
					ID: strconv.Itoa(number), Type: signals.TypingChanged, Source: "shop",
					Conversation: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "conversation"),
					Actor:        &signals.Actor{ID: rapid.SampledFrom([]string{"ann", "smith"}).Draw(t, "actor")},
				}
				if rapid.IntRange(0, 3).Draw(t, "message") == 0 {
					event.Type = signals.MessageReceived
				} else {
					event.Typing = &signals.Typing{On: rapid.Bool().Draw(t, "on")}
				}

				news, end := memory.Begin([]signals.Event{event}, now)
				if len(news) > 0 {
					flights = append(flights, &flight{event: event, end: end})

					break
				}

				keystroke, message := last(&event)
				require.GreaterOrEqual(t, keystroke, 0, "left out, but never kept")
				require.Equal(t, disk[keystroke].Typing.On, event.Typing.On)
				require.Less(t, now.Sub(disk[keystroke].ReceivedAt), 5*time.Second)
				require.Greater(t, keystroke, message, "a message came after it")
				end(true)
			case len(flights) == 0:
			case step == 2: // onto the disk
				if one := rapid.SampledFrom(flights).Draw(t, "commits"); !one.committed {
					one.event.ReceivedAt, one.committed = now, true
					disk = append(disk, one.event)
				}
			case step == 3: // or refused
				at := rapid.IntRange(0, len(flights)-1).Draw(t, "ends")
				one := flights[at]
				flights = append(flights[:at:at], flights[at+1:]...)
				ended[one.event.ID] = true
				one.end(one.committed)
			default:
				now = now.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "seconds")) * time.Second)
			}
		}
	})
}

func TestCoalescerIsBounded(t *testing.T) {
	t.Parallel()

	memory := webhooks.NewCoalescer(2)
	now := time.Now()

	for _, conversation := range []string{"a", "b", "a", "c"} {
		memory.Types(conversation, "ann", now)
	}

	require.Equal(t, 2, memory.Len())
	require.Zero(t, memory.Types("a", "ann", now), "the one used last stays")
	require.Equal(t, 1, memory.Types("b", "ann", now), "the oldest goes first")

	for i := range 100 {
		memory.Types("a", strconv.Itoa(i), now)
	}

	require.LessOrEqual(t, memory.Typists("a"), 16)
}
