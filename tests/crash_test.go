package tests_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// calm has no clock that comes due while a test runs.
const calm = `
policies:
  default: {unreplied: {first: 1h}, closeout: {grace: 1h}}
`

// load posts messages to conversations over several connections and keeps what
// was acknowledged.
type load struct {
	conversations, messages, connections int

	// acknowledged is by conversation and message.
	acknowledged []atomic.Bool
	count        atomic.Int64
}

func newLoad(conversations, messages, connections int) *load {
	return &load{
		conversations: conversations, messages: messages, connections: connections,
		acknowledged: make([]atomic.Bool, conversations*messages),
	}
}

// post sends everything that is not acknowledged until ctx is over, each
// connection its own conversations, in turn.
func (l *load) post(ctx context.Context, parley *process) {
	var posting sync.WaitGroup

	for connection := range l.connections {
		posting.Go(func() {
			for message := range l.messages {
				for conversation := connection; conversation < l.conversations; conversation += l.connections {
					if ctx.Err() != nil {
						return
					}

					l.postOne(ctx, parley, conversation, message)
				}
			}
		})
	}

	posting.Wait()
}

func (l *load) postOne(ctx context.Context, parley *process, conversation, message int) {
	at := conversation*l.messages + message
	if l.acknowledged[at].Load() {
		return
	}

	body, err := json.Marshal(ownMessage(loadKey(conversation).Conversation, fmt.Sprintf("m%d", message)))
	if err != nil {
		return
	}

	request, err := http.NewRequestWithContext(ctx, http.MethodPost, parley.url("/webhooks/parley"), bytes.NewReader(body))
	if err != nil {
		return
	}

	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return // the process is gone
	}

	_, err = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()

	if err == nil && response.StatusCode == http.StatusOK && !l.acknowledged[at].Swap(true) {
		l.count.Add(1)
	}
}

func loadKey(conversation int) signals.Key {
	return signals.Key{Source: "parley", Conversation: fmt.Sprintf("load-%d", conversation)}
}

// requireAll wants every message of every conversation applied exactly once.
func (l *load) requireAll(parley *process) {
	parley.t.Helper()

	require.Equal(parley.t, int64(l.conversations*l.messages), l.count.Load(), "not everything was acknowledged")

	for conversation := range l.conversations {
		view := parley.eventually(loadKey(conversation), 10*time.Second, "all there", func(v signals.View) bool {
			return v.Messages.Visitor >= int64(l.messages)
		})
		require.Equal(parley.t, int64(l.messages), view.Messages.Visitor)
		require.Equal(parley.t, int64(l.messages), view.Accepted)
		require.Equal(parley.t, int64(l.messages), view.Applied)
		require.Equal(parley.t, 1, view.Session)
	}
}

// TestEndedUnderLoad ends the process in the middle of posting, starts it again
// and sends once more what was not acknowledged: nothing is lost, nothing is
// there twice.
func TestEndedUnderLoad(t *testing.T) {
	t.Parallel()

	for name, end := range map[string]func(*process){
		"killed": (*process).kill,
		"stopped": func(p *process) {
			require.Less(p.t, p.stop(syscall.SIGTERM), 10*time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			const conversations, messages, connections = 50, 20, 8

			one := newInstall(t, calm)
			sending := newLoad(conversations, messages, connections)

			for round := range 3 {
				parley := one.start(t)
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				over := make(chan struct{})

				go func() {
					defer close(over)

					sending.post(ctx, parley)
				}()

				if round < 2 {
					enough := sending.count.Load() + conversations*messages/4
					require.Eventually(t, func() bool { return sending.count.Load() >= enough }, 20*time.Second, time.Millisecond)
					end(parley)
					cancel()
				}

				<-over
				cancel()

				if round == 2 {
					sending.requireAll(parley)
				}
			}
		})
	}
}
