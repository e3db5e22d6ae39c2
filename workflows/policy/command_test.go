package policy_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/workflows/policy"
)

func commanded(change func(s *policy.Source)) policy.Config {
	source := policy.NewSource("livechat")
	source.Command = policy.Command{Kind: policy.CommandLiveChat, Token: "dal:sEcReT"}
	change(&source)

	return policy.Config{Sources: []policy.Source{source}}
}

func TestAConversationKnowsThatItsPlatformTakesCommands(t *testing.T) {
	t.Parallel()

	book, err := policy.NewBook(commanded(func(*policy.Source) {}))
	require.NoError(t, err)
	require.True(t, book.Snapshot("livechat").Platform)

	source, _ := book.Source("livechat")
	require.Equal(t, "dal:sEcReT", source.Command.Token)

	book, err = policy.NewBook(commanded(func(s *policy.Source) { s.Command = policy.Command{} }))
	require.NoError(t, err)
	require.False(t, book.Snapshot("livechat").Platform)
}

func TestTheTokenStaysOutOfHistoryAndLogs(t *testing.T) {
	t.Parallel()

	book, err := policy.NewBook(commanded(func(s *policy.Source) { s.Command.Account = "a-1" }))
	require.NoError(t, err)

	source, _ := book.Source("livechat")

	snapshot, err := json.Marshal(book.Snapshot("livechat"))
	require.NoError(t, err)

	shown, err := json.Marshal(source)
	require.NoError(t, err)

	var log bytes.Buffer

	slog.New(slog.NewJSONHandler(&log, nil)).Info("a source", "source", source, "command", source.Command)

	for _, text := range []string{string(snapshot), string(shown), log.String()} {
		require.NotContains(t, text, "sEcReT")
	}
}

func TestWhatIsWrongWithACommand(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		change func(s *policy.Source)
		fault  string
	}{
		"no kind":        {func(s *policy.Source) { s.Command.Kind = "" }, `kind: must be one of livechat, not ""`},
		"unknown kind":   {func(s *policy.Source) { s.Command.Kind = "twt" }, `kind: must be one of livechat, not "twt"`},
		"other platform": {func(s *policy.Source) { s.Dialect = "twt" }, "kind: livechat takes no commands about chats of twt"},
		"no token":       {func(s *policy.Source) { s.Command.Token = "" }, "token: is missing"},
		"a line break": {
			func(s *policy.Source) { s.Command.Token = "dal:sEcReT\n" },
			"token: must be printable ASCII without blanks, 1 to 2000 bytes",
		},
		"an account with a colon": {
			func(s *policy.Source) { s.Command.Account = "a:sEcReT" },
			"account: must be an account id, without blanks and colons",
		},
		"no address": {
			func(s *policy.Source) { s.Command.URL = "ftp://sEcReT" },
			"url: must be an address that begins with https:// or http://",
		},
		"a password": {
			func(s *policy.Source) { s.Command.URL = "https://me:sEcReT@api.example.com" },
			"url: must not hold a user name or password; use account and token",
		},
		"a query": {
			func(s *policy.Source) { s.Command.URL = "https://api.example.com?key=sEcReT" },
			"url: must not hold a ?query or a #fragment",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := policy.NewBook(commanded(tc.change))
			require.EqualError(t, err, "sources.livechat.command."+tc.fault)
			require.NotContains(t, err.Error(), "sEcReT")
		})
	}
}
