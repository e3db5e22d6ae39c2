package conversation_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/conversation"
)

// TestSearchAttributes are told when status or agent changes, with a push and
// with the reply after it, and not with every message.
func TestSearchAttributes(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	told := w.attributesTold()

	for i := range 5 {
		w.send(time.Duration(i)*time.Second, says("ann", "Hello?", time.Duration(i)*time.Second))
	}

	w.send(11*time.Minute, says("smith", "Hello!", 11*time.Minute))
	w.send(12*time.Minute, says("ann", "Thanks", 12*time.Minute))
	w.after(13*time.Minute, func() { w.SignalWorkflow(signals.CloseSignal, map[string]any{}) })
	w.run(nil)

	require.Equal(t, []string{
		"open  0 false", "open  1 true", "open  2 true", "active smith 0 false", "closing smith 0 false", "closed smith 0 false",
	}, *told)
}

// TestKnownFromTheStart: what the courier says at the start is not said again,
// and no version marker is written, which would be a third visibility record.
func TestKnownFromTheStart(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	told := w.attributesTold()
	require.NoError(t, w.SetTypedSearchAttributesOnStart(temporal.NewSearchAttributes(
		temporal.NewSearchAttributeKeyKeyword(signals.AttrSource).ValueSet("shop"),
		temporal.NewSearchAttributeKeyKeyword(signals.AttrStatus).ValueSet(string(signals.StatusOpen)),
	)))
	w.OnGetVersion("machine", workflow.DefaultVersion, workflow.Version(2)).Return(workflow.Version(1)).Run(func(mock.Arguments) {
		t.Error("a version marker was written")
	}).Maybe()

	w.send(0, says("ann", "Hello?", 0))
	w.send(time.Second, says("smith", "Hello!", time.Second))
	w.after(2*time.Second, func() { w.SignalWorkflow(signals.CloseSignal, map[string]any{}) })
	w.run(signals.Start{Version: signals.StartVersion, Session: 1})

	require.Equal(t, []string{"active smith 0 false", "closing smith 0 false", "closed smith 0 false"}, *told)
}

// attributesTold collects what visibility is told.
func (w *world) attributesTold() *[]string {
	told := new([]string)

	w.OnUpsertTypedSearchAttributes(mock.Anything).Return(nil).Run(func(args mock.Arguments) {
		attributes, ok := args.Get(0).(temporal.SearchAttributes)
		require.True(w.t, ok)

		status, _ := attributes.GetKeyword(temporal.NewSearchAttributeKeyKeyword(signals.AttrStatus))
		agent, _ := attributes.GetKeyword(temporal.NewSearchAttributeKeyKeyword(signals.AttrAgent))
		pushes, _ := attributes.GetInt64(temporal.NewSearchAttributeKeyInt64(signals.AttrPushes))
		_, since := attributes.GetTime(temporal.NewSearchAttributeKeyTime(signals.AttrUnrepliedSince))
		*told = append(*told, fmt.Sprintf("%s %s %d %t", status, agent, pushes, since))
	})

	return told
}

func TestCardShowsTheConversation(t *testing.T) {
	t.Parallel()

	m := machine()
	hello := says("ann", "Hello\n# <b>there</b>", 0)
	hello.Actor.Name = "Ann [x](http://evil.example)"
	tell(m, hello)

	card := conversation.Card(m)
	require.Contains(t, card, "**open** · session 1")
	require.Contains(t, card, "Unreplied since 2040-11-20 10:00:00 UTC, pushes: 0")
	require.Contains(t, card, "- unreplied due 2040-11-20 10:05:00 UTC")
	require.Contains(t, card, `Hello \# \<b\>there\</b\>`)
	require.NotContains(t, card, "](http")

	for i := range 100 {
		tell(m, says("ann", strings.Repeat("long ", 500), time.Duration(i)*time.Second))
	}

	require.Less(t, len(conversation.Card(m)), 10<<10)
}
