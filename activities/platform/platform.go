// Package platform tells chat platforms what conversations decided: where a
// chat goes.
package platform

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/delivery"
	"github.com/parleyhq/parley/workflows/policy"
)

// sendTimeout bounds the requests of one command altogether. It is less than an
// attempt has, so that the history says what was slow.
const sendTimeout = 12 * time.Second

// Commands are what one account of a platform can be told. Their errors are
// [outbound.Failure]s, which name no secret.
type Commands interface {
	// Move brings a chat where the command says. A chat that is there already
	// is no error, and is not moved again: commands are repeated when an answer
	// was lost. The detail is for people.
	Move(ctx context.Context, command *signals.PlatformCommand) (detail string, err error)
}

// Poster makes requests; [outbound.Client] is one.
type Poster interface {
	Post(ctx context.Context, request *outbound.Request) (*outbound.Response, error)
}

// kinds builds the commands of every kind that a source can name.
func kinds() map[string]func(policy.Command, Poster) (Commands, error) {
	return map[string]func(policy.Command, Poster) (Commands, error){
		policy.CommandLiveChat: func(command policy.Command, poster Poster) (Commands, error) { return newLiveChat(command, poster) },
	}
}

// Sender gives platforms their commands: one attempt at one order of the kind
// platform.
type Sender struct {
	targets map[string]Commands
}

// New returns a sender for the sources that name a command; the others have
// none, and an order for one of them fails.
func New(sources []policy.Source, poster Poster) (*Sender, error) {
	sender := &Sender{targets: make(map[string]Commands, len(sources))}

	for i := range sources {
		command := sources[i].Command
		if command.Kind == "" {
			continue
		}

		build, ok := kinds()[command.Kind]
		if !ok {
			return nil, &signals.FieldError{
				Field:  "sources." + sources[i].Name + ".command.kind",
				Reason: fmt.Sprintf("%q is none of %v", command.Kind, slices.Sorted(maps.Keys(kinds()))),
			}
		}

		commands, err := build(command, poster)
		if err != nil {
			return nil, fmt.Errorf("sources.%s.command: %w", sources[i].Name, err)
		}

		sender.targets[signals.PlatformTarget(sources[i].Name)] = commands
	}

	return sender, nil
}

// Send makes one attempt. Its errors are [outbound.Failure]s.
func (s *Sender) Send(ctx context.Context, order *signals.Order) (delivery.Receipt, error) {
	command := order.Platform

	commands, ok := s.targets[order.Target]

	switch {
	case command == nil || command.Chat == "":
		return delivery.Receipt{}, outbound.Permanent("the order names no chat")
	case !ok:
		return delivery.Receipt{}, outbound.Permanent("the platform takes no commands; name one under the source's command:")
	case command.Action != signals.PlatformTransfer && command.Action != signals.PlatformReassign:
		return delivery.Receipt{}, outbound.Permanent(fmt.Sprintf("there is no command %q", signals.Cut(command.Action, maxQuoted)))
	case command.Action == signals.PlatformReassign && command.From == "":
		return delivery.Receipt{}, outbound.Permanent("the order does not say from whom the chat is taken")
	}

	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()

	detail, err := commands.Move(ctx, command)
	if err != nil {
		return delivery.Receipt{}, fmt.Errorf("%s: %w", order.Target, err)
	}

	return delivery.Receipt{Detail: detail}, nil
}
