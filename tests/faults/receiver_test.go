package faults_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/parleyhq/parley/signals"
)

// receiver takes pushes and tickets as an operator's programs do: most of the
// time at once, sometimes late, sometimes not at all.
type receiver struct {
	*httptest.Server

	mu      sync.Mutex
	rng     *rand.Rand
	calm    bool
	tries   int
	refused int
	pushes  map[string]*push
	tickets map[string]*made
}

// push is one notice by its id.
type push struct {
	// text is the message that waits, number the number of the push.
	text   string
	number int
	first  time.Time
	tried  int
	took   int
}

// made is one ticket by its idempotency key.
type made struct {
	key     signals.Key
	session int
	tried   int
	took    int
}

func newReceiver(t *testing.T, rng *rand.Rand) *receiver {
	t.Helper()

	r := &receiver{rng: rng, pushes: map[string]*push{}, tickets: map[string]*made{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /pushes", r.push)
	mux.HandleFunc("POST /tickets", r.ticket)
	r.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		r.CloseClientConnections()
		r.Close()
	})

	return r
}

// behave makes the receiver take everything from now on.
func (r *receiver) behave() {
	r.mu.Lock()
	defer r.mu.Unlock()

	r.calm = true
}

// mood answers, or does not, and reports whether the request was taken.
func (r *receiver) mood(w http.ResponseWriter, answer string) bool {
	r.mu.Lock()
	dice, slow := r.rng.IntN(100), time.Duration(500+r.rng.IntN(1500))*time.Millisecond
	r.tries++

	if r.calm {
		dice = 0
	}

	if dice >= 70 && dice < 90 {
		r.refused++
	}
	r.mu.Unlock()

	switch {
	case dice < 60:
	case dice < 70:
		time.Sleep(slow)
	case dice < 80:
		http.Error(w, "not now", http.StatusInternalServerError)

		return false
	case dice < 87:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too much", http.StatusServiceUnavailable)

		return false
	case dice < 90:
		panic(http.ErrAbortHandler) // no answer at all
	default:
		time.Sleep(slow / 10)
	}

	_, _ = io.WriteString(w, answer)

	return true
}

func (r *receiver) push(w http.ResponseWriter, request *http.Request) {
	var body struct {
		Content []struct {
			Message   string `json:"message_content"`
			PushTimes int    `json:"push_times"`
		} `json:"content"`
	}

	if err := json.NewDecoder(request.Body).Decode(&body); err != nil || len(body.Content) != 1 {
		http.Error(w, "no push", http.StatusBadRequest)

		return
	}

	id := request.Header.Get("Webhook-Id")

	r.mu.Lock()
	got := r.pushes[id]
	if got == nil {
		got = &push{text: body.Content[0].Message, number: body.Content[0].PushTimes, first: time.Now()}
		r.pushes[id] = got
	}

	got.tried++
	r.mu.Unlock()

	if r.mood(w, `{}`) {
		r.mu.Lock()
		got.took++
		r.mu.Unlock()
	}
}

func (r *receiver) ticket(w http.ResponseWriter, request *http.Request) {
	var ticket signals.Ticket

	if err := json.NewDecoder(request.Body).Decode(&ticket); err != nil {
		http.Error(w, "no ticket", http.StatusBadRequest)

		return
	}

	id := request.Header.Get("Idempotency-Key")

	r.mu.Lock()
	got := r.tickets[id]
	if got == nil {
		got = &made{key: signals.Key{Source: ticket.Source, Conversation: ticket.Conversation}, session: ticket.Session}
		r.tickets[id] = got
	}

	got.tried++
	number := len(r.tickets)
	r.mu.Unlock()

	if r.mood(w, fmt.Sprintf(`{"id":"EXT-%d"}`, number)) {
		r.mu.Lock()
		got.took++
		r.mu.Unlock()
	}
}

// took reports whether a push was taken.
func (r *receiver) took(text string, number int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()

	for _, got := range r.pushes {
		if got.text == text && got.number == number && got.took > 0 {
			return true
		}
	}

	return false
}
