package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStopsInReverseAndLeavesWhatHangs(t *testing.T) {
	t.Parallel()

	var (
		out     strings.Builder
		stopped []string
	)

	s := &system{log: slog.New(slog.NewTextHandler(&out, nil))}
	broken := errors.New("broken")
	part := func(name string, err error) func(context.Context) error {
		return func(context.Context) error {
			stopped = append(stopped, name)

			return err
		}
	}

	s.later("database", part("database", nil))
	s.later("client", part("client", broken))
	s.later("worker", within(10*time.Millisecond, waiting(func() { <-t.Context().Done() })))
	s.later("courier", within(10*time.Millisecond, func(ctx context.Context) error {
		<-ctx.Done()

		return ctx.Err()
	}))
	s.later("inbox", within(time.Minute, waiting(func() { stopped = append(stopped, "inbox") })))

	begun := time.Now()
	err := s.down(t.Context())

	require.Less(t, time.Since(begun), 5*time.Second)
	require.ErrorIs(t, err, broken)
	require.NotErrorIs(t, err, errLeft, "what is left to the next start is no fault")
	require.Equal(t, []string{"inbox", "client", "database"}, stopped)
	require.Equal(t, 2, strings.Count(out.String(), "the next start does it again"))
	require.NoError(t, s.down(t.Context()), "each is stopped once")
}
