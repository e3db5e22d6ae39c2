package desk_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/desk"
)

// TestTerminatedHolder: a conversation that somebody terminated while an agent had
// it frees its slot within about a minute.
func TestTerminatedHolder(t *testing.T) {
	t.Parallel()

	w := newWorld(t, staff(1, "a", "b"))
	w.lost = func(look desk.Look) ([]signals.Key, error) {
		var lost []signals.Key

		for _, key := range look.Keys {
			if w.gone[key] {
				lost = append(lost, key)
			}
		}

		return lost, nil
	}
	w.say(0, 1, accepted, "a", 0)
	w.say(time.Second, 2, accepted, "b", 0)
	w.say(2*time.Second, 3, request, "", 0)
	w.after(70*time.Second, func() {
		require.Equal(t, []desk.Look{{Desk: "support", Keys: []signals.Key{key(1), key(2), key(3)}}}, w.looks)
		require.Empty(t, w.said())

		w.gone[key(1)] = true
	})
	w.after(119*time.Second, func() { require.Equal(t, signals.DeskWaits, w.status(3)) })
	w.after(121*time.Second, func() {
		require.Empty(t, w.status(1))
		require.Equal(t, signals.DeskActive, w.status(2))
		require.Equal(t, []string{"1 check", "3 offer a"}, w.said())
	})

	// Nobody is left: it looks no more.
	w.say(130*time.Second, 2, release, "", 0)
	w.say(131*time.Second, 3, release, "", 1)
	w.after(time.Hour, func() { require.Len(t, w.looks, 2) })
	w.stop(time.Hour + time.Second)
	w.run(nil)
	require.Less(t, int(w.events.Load()), 80)
}

// TestLookFails: the desk goes on, and looks again.
func TestLookFails(t *testing.T) {
	t.Parallel()

	w := newWorld(t, staff(1, "a", "b"))
	w.lost = func(desk.Look) ([]signals.Key, error) {
		if len(w.looks) < 3 {
			return nil, errors.New("visibility is away")
		}

		return []signals.Key{key(1)}, nil
	}
	w.gone[key(1)] = true
	w.say(0, 1, accepted, "a", 0)
	w.say(100*time.Second, 2, request, "", 0)
	w.after(101*time.Second, func() { require.Equal(t, []string{"2 offer b"}, w.said()) })
	w.say(102*time.Second, 2, accepted, "b", 1)
	w.after(179*time.Second, func() {
		require.Len(t, w.looks, 2, "it is tried once a minute")
		require.Equal(t, signals.DeskActive, w.status(1))
	})
	w.after(181*time.Second, func() { require.Empty(t, w.status(1)) })

	// The next run looks on where this one stopped.
	w.stop(200 * time.Second)
	w.run(nil)

	next := newWorld(t, staff(1, "a", "b"))
	next.SetStartTime(at(200 * time.Second))
	next.after(39*time.Second, func() { require.Empty(t, next.looks) })
	next.after(41*time.Second, func() { require.Len(t, next.looks, 1) })
	next.stop(42 * time.Second)
	next.run(w.next())
}
