package signaller_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/mocks"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/signaller"
)

// A shop's own chat tells Parley what a visitor wrote. The conversation starts
// with the first message; its clocks run from there.
func Example() {
	// In a service: temporal, err := client.Dial(client.Options{}).
	temporal := printing()

	conversations := signaller.New(temporal)
	key := signals.Key{Source: "shop", Conversation: "order-4711"}

	err := conversations.Message(context.Background(), key,
		signaller.From{EventID: "m-1", ActorID: "ann", Name: "Ann"},
		signals.Message{Text: "Is anyone there?"})
	if err != nil {
		fmt.Println(err)
	}

	// Output:
	// conversation:shop:order-4711 message {"event_id":"m-1","actor_id":"ann","name":"Ann","text":"Is anyone there?"}
}

// printing stands in for a Temporal client, so that the example runs without a
// server.
func printing() *mocks.Client {
	c := &mocks.Client{}
	c.On("SignalWithStartWorkflow", mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything).
		Run(func(args mock.Arguments) {
			payload, err := json.Marshal(args.Get(3))
			fmt.Println(args.Get(1), args.Get(2), string(payload), okay(err))
		}).Return(nil, nil)

	return c
}

func okay(err error) string {
	if err != nil {
		return err.Error()
	}

	return ""
}
