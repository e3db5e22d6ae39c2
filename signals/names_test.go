package signals_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/signals"
)

func names() *rapid.Generator[string] { return rapid.StringMatching(`[a-z0-9-]{1,40}`) }

func chatIDs() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringN(1, 60, 200),
		rapid.StringMatching(`[A-Z0-9]{10}`),
		rapid.SampledFrom([]string{
			"a:b", "a/b", "a%2Fb", "a?b", ":", "sha256-", "sha256-zz", "ÄÖ", "\x00", "\xff", strings.Repeat("x", 1024),
		}),
	)
}

func TestWorkflowIDsComeBack(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		key := signals.Key{Source: names().Draw(t, "source"), Conversation: chatIDs().Draw(t, "chat")}
		target := names().Draw(t, "target")

		id := key.WorkflowID()
		require.LessOrEqual(t, len(id), 255)

		back, err := signals.ParseWorkflowID(id)
		require.NoError(t, err)
		require.Equal(t, key.Source, back.Source)
		require.Equal(t, id, back.WorkflowID(), "a parsed key names the same workflow")

		if id == "conversation:"+key.Source+":"+key.Conversation {
			require.Equal(t, key, back)
		}

		delivery := key.DeliveryID(target)
		require.LessOrEqual(t, len(delivery), 255)

		gotTarget, gotKey, err := signals.ParseDeliveryID(delivery)
		require.NoError(t, err)
		require.Equal(t, target, gotTarget)
		require.Equal(t, back, gotKey)
	})
}

func TestDifferentChatsHaveDifferentWorkflows(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		a := signals.Key{Source: "s", Conversation: chatIDs().Draw(t, "a")}
		b := signals.Key{Source: "s", Conversation: chatIDs().Draw(t, "b")}

		require.Equal(t, a == b, a.WorkflowID() == b.WorkflowID())
	})
}

func TestReadableChatIDsStayReadable(t *testing.T) {
	t.Parallel()

	require.Equal(t, "conversation:livechat:PJ0MRSHTDG", signals.Key{Source: "livechat", Conversation: "PJ0MRSHTDG"}.WorkflowID())
	require.Equal(t, "conversation:s:a:b/c?", signals.Key{Source: "s", Conversation: "a:b/c?"}.WorkflowID())
	require.NotContains(t, signals.Key{Source: "s", Conversation: "a\nb"}.WorkflowID(), "\n")
}

func TestBadIDs(t *testing.T) {
	t.Parallel()

	for _, id := range []string{
		"", "x", "conversation:", "conversation:s", "conversation:s:", "conversation:S:c", "desk:s", "conversation::c",
	} {
		_, err := signals.ParseWorkflowID(id)
		require.ErrorIs(t, err, signals.ErrBadName, id)
	}

	for _, id := range []string{"", "delivery:", "delivery:t", "delivery:t:s", "delivery:T:s:c", "delivery:t:S:c"} {
		_, _, err := signals.ParseDeliveryID(id)
		require.ErrorIs(t, err, signals.ErrBadName, id)
	}

	for _, id := range []string{"", "desk:", "desk:A", "conversation:s:c"} {
		_, err := signals.ParseDeskWorkflowID(id)
		require.ErrorIs(t, err, signals.ErrBadName, id)
	}
}

func TestDeskIDsComeBack(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		name := names().Draw(t, "desk")
		require.True(t, signals.ValidName(name))

		back, err := signals.ParseDeskWorkflowID(signals.DeskWorkflowID(name))
		require.NoError(t, err)
		require.Equal(t, name, back)
	})
}

func TestDerivedIDs(t *testing.T) {
	t.Parallel()

	// The same in every release: ids are compared over upgrades.
	require.Equal(t, "h:8fb20ef63ced4145fc2e983ffe597d1d", signals.DerivedID("a", "b"))
	require.NotEqual(t, signals.DerivedID("a", "b"), signals.DerivedID("ab"))
	require.NotEqual(t, signals.DerivedID("a", "b"), signals.DerivedID("a", "b", ""))
	require.True(t, signals.IsDerived(signals.DerivedID()))
	require.False(t, signals.IsDerived("PZ070E0W1B_1"))
}

func TestRoleByID(t *testing.T) {
	t.Parallel()

	require.Equal(t, signals.RoleVisitor, signals.RoleByID("livechat", "b7eff798-f8df-4364-8059-649c35c9ed0c"))
	require.Equal(t, signals.RoleAgent, signals.RoleByID("livechat", "smith@example.com"))
	require.Equal(t, signals.RoleBot, signals.RoleByID("livechat", "5c9871d5372c824cbf22d860a707a578"))

	for _, id := range []string{
		"", "smith", "@", "a@", "@b", "a@b@c", "a b@c", "b7eff798f8df-4364-8059-649c35c9ed0c",
		"g7eff798-f8df-4364-8059-649c35c9ed0c", "5c9871d5372c824cbf22d860a707a57g", "5c9871d5372c824cbf22d860a707a57",
	} {
		require.Equal(t, signals.RoleUnknown, signals.RoleByID("livechat", id), id)
	}

	require.Equal(t, signals.RoleUnknown, signals.RoleByID("parley", "smith@example.com"))
}

// TestPlatformTarget is always a name that a delivery can have, and another for
// each source.
func TestPlatformTarget(t *testing.T) {
	t.Parallel()

	long := strings.Repeat("a", 39)

	require.Equal(t, "platform-shop", signals.PlatformTarget("shop"))
	require.True(t, signals.ValidName(signals.PlatformTarget(long+"b")))
	require.NotEqual(t, signals.PlatformTarget(long+"b"), signals.PlatformTarget(long+"c"))
}
