package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/parleyhq/parley/signals"
)

// api is Parley's HTTP surface as this program uses it.
type api struct {
	base string
	http *http.Client
	// name sets the conversations of this run apart from those of others.
	name string
}

func newAPI(opts *options) *api {
	return &api{
		base: opts.url,
		http: &http.Client{
			Timeout:   30 * time.Second,
			Transport: &http.Transport{MaxIdleConnsPerHost: opts.connections, MaxConnsPerHost: opts.connections},
		},
		name: "load-" + strconv.FormatInt(time.Now().UnixMilli(), 36),
	}
}

func (a *api) key(kind string, number int) signals.Key {
	return signals.Key{Source: "parley", Conversation: fmt.Sprintf("%s-%s-%d", a.name, kind, number)}
}

// send posts one event and returns how long its acknowledgement took.
func (a *api) send(ctx context.Context, event *signals.Event) (time.Duration, error) {
	body, err := json.Marshal(event)
	if err != nil {
		return 0, fmt.Errorf("encode: %w", err)
	}

	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+"/webhooks/parley", bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("make request: %w", err)
	}

	begun := time.Now()

	response, err := a.http.Do(request)
	if err != nil {
		return 0, fmt.Errorf("post: %w", err)
	}

	answer, err := io.ReadAll(response.Body)
	took := time.Since(begun)

	if closeErr := response.Body.Close(); err == nil {
		err = closeErr
	}

	switch {
	case err != nil:
		return 0, fmt.Errorf("read answer: %w", err)
	case response.StatusCode != http.StatusOK:
		return 0, fmt.Errorf("status %d: %s", response.StatusCode, answer)
	default:
		return took, nil
	}
}

func (a *api) view(ctx context.Context, key signals.Key) (signals.View, bool, error) {
	address := a.base + "/v1/conversations/" + key.Source + "/" + url.PathEscape(key.Conversation)

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return signals.View{}, false, fmt.Errorf("make request: %w", err)
	}

	response, err := a.http.Do(request)
	if err != nil {
		return signals.View{}, false, fmt.Errorf("get: %w", err)
	}

	body, err := io.ReadAll(response.Body)
	if closeErr := response.Body.Close(); err == nil {
		err = closeErr
	}

	if err != nil {
		return signals.View{}, false, fmt.Errorf("read answer: %w", err)
	}

	if response.StatusCode != http.StatusOK {
		return signals.View{}, false, nil
	}

	var view signals.View
	if err := json.Unmarshal(body, &view); err != nil {
		return signals.View{}, false, fmt.Errorf("decode state: %w", err)
	}

	return view, true, nil
}

// durations are sorted when they are read.
type durations struct {
	mu     sync.Mutex
	all    []time.Duration
	sorted bool
}

func (d *durations) add(one time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()

	d.all, d.sorted = append(d.all, one), false
}

// at returns a quantile, rounded for people.
func (d *durations) at(quantile float64) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()

	if len(d.all) == 0 {
		return 0
	}

	if !d.sorted {
		slices.Sort(d.all)
		d.sorted = true
	}

	return d.all[min(len(d.all)-1, int(quantile*float64(len(d.all))))].Round(100 * time.Microsecond)
}

// message is one event of a conversation: visitor and agent in turn.
func message(key signals.Key, number int) *signals.Event {
	role, who := signals.RoleVisitor, "ann"
	if number%2 == 1 {
		role, who = signals.RoleAgent, "smith"
	}

	return &signals.Event{
		ID: "m" + strconv.Itoa(number), Type: signals.MessageReceived, Source: key.Source, Conversation: key.Conversation,
		At: time.Now().UTC(), Actor: &signals.Actor{ID: who, Role: role, Name: who},
		Message: &signals.Message{ID: "m" + strconv.Itoa(number), Kind: signals.KindText, Text: "message " + strconv.Itoa(number)},
	}
}

func closing(key signals.Key) *signals.Event {
	return &signals.Event{
		ID: "close", Type: signals.ConversationClosed, Source: key.Source, Conversation: key.Conversation, At: time.Now().UTC(),
		Closing: &signals.Closing{ByRole: signals.RoleVisitor, Reason: "done"},
	}
}
