package conversation_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/parleyhq/parley/signals"
)

// TestSearchAttributes are told when status or agent changes, with a push and
// with the reply after it, and not with every message.
func TestSearchAttributes(t *testing.T) {
	t.Parallel()

	var told []string

	w := newWorld(t)
	w.OnUpsertTypedSearchAttributes(mock.Anything).Return(nil).Run(func(args mock.Arguments) {
		attributes, ok := args.Get(0).(temporal.SearchAttributes)
		require.True(t, ok)

		status, _ := attributes.GetKeyword(temporal.NewSearchAttributeKeyKeyword(signals.AttrStatus))
		agent, _ := attributes.GetKeyword(temporal.NewSearchAttributeKeyKeyword(signals.AttrAgent))
		pushes, _ := attributes.GetInt64(temporal.NewSearchAttributeKeyInt64(signals.AttrPushes))
		_, since := attributes.GetTime(temporal.NewSearchAttributeKeyTime(signals.AttrUnrepliedSince))
		told = append(told, fmt.Sprintf("%s %s %d %t", status, agent, pushes, since))
	})

	for i := range 5 {
		w.send(time.Duration(i)*time.Second, says("ann", "Hello?", time.Duration(i)*time.Second))
	}

	w.send(11*time.Minute, says("smith", "Hello!", 11*time.Minute))
	w.send(12*time.Minute, says("ann", "Thanks", 12*time.Minute))
	w.after(13*time.Minute, func() { w.SignalWorkflow(signals.CloseSignal, map[string]any{}) })
	w.run(nil)

	require.Equal(t, []string{
		"open  0 false", "open  1 true", "open  2 true", "active smith 0 false", "closing smith 0 false", "closed smith 0 false",
	}, told)
}
