package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
)

func secrets() map[string]string {
	return map[string]string{
		"LIVECHAT_SECRET": "lc-s3cret", "OPS_SECRET": "ops-s3cret", "SHOP_SECRET": "shop-s3cret", "TOWN": "Köln",
	}
}

func load(t *testing.T, text string) (*configFile, error) {
	t.Helper()

	path := filepath.Join(t.TempDir(), "parley.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))

	file, err := loadConfigFile(path, lookupIn(secrets()))
	if err != nil {
		// The name of a temporary directory would be in the way.
		require.ErrorIs(t, err, errConfigFile)

		return nil, faultAt(0, "%s", strings.ReplaceAll(err.Error(), path, "parley.yaml"))
	}

	return file, nil
}

func TestDocumentedFileIsTheDefaults(t *testing.T) {
	t.Parallel()

	file, err := loadConfigFile("testdata/config/documented.yaml", lookupIn(secrets()))
	require.NoError(t, err)

	book, err := file.Book(false)
	require.NoError(t, err)

	p, ok := book.Policy("default")
	require.True(t, ok)
	require.Equal(t, policy.Default(), p)

	p, ok = book.Policy("demo")
	require.True(t, ok)
	require.Equal(t, policy.Demo(), p)

	want := policy.NewSource("livechat")
	want.Secrets = []string{"lc-s3cret"}
	want.Desk, want.Title = "support", "My shop"
	want.Agents, want.Bots, want.Groups = []string{}, []string{}, map[string]string{"2": "billing"}

	require.Equal(t, []policy.Source{want}, book.Sources())
	require.Equal(t, map[string]channelConfig{
		"log": {Kind: "log"},
		"ops": {Kind: "webhook", URL: "https://hooks.example.com/parley", Secret: "ops-s3cret"},
	}, file.Channels)
	support := policy.NewDesk()
	support.Agents = []policy.DeskAgent{{ID: "smith@example.com", Slots: 4, Skills: []string{"billing"}}}
	require.Equal(t, map[string]policy.Desk{"support": support}, file.Desks)
	require.Equal(t, ticketsConfig{Kind: "store"}, file.Tickets)
	require.Empty(t, file.Network.Allow)
	require.Equal(t, []string{"LIVECHAT_SECRET", "OPS_SECRET"}, file.Variables)
}

func TestPartialFile(t *testing.T) {
	t.Parallel()

	file, err := loadConfigFile("testdata/config/partial.yaml", lookupIn(secrets()))
	require.NoError(t, err)

	book, err := file.Book(false)
	require.NoError(t, err)
	require.Equal(t, []string{"default", "demo", "calm", "empty", "vip"}, book.Policies())

	base := policy.Default()
	base.Unreplied.Max = 6
	base.Unreplied.FromPush = map[int][]string{3: {"ops"}}
	base.Notify[signals.TicketFailed] = []string{"log", "ops"}

	vip := base.Clone()
	vip.Unreplied.First = policy.Duration(time.Minute)
	vip.Unreplied.FromPush[4] = []string{"boss"}
	vip.Hours = "office"
	vip.Queue.End = "desk:support"

	calm := base.Clone()
	calm.Unreplied.First = policy.Duration(time.Minute)
	calm.Unreplied.FromPush[4] = []string{"boss"}
	calm.Unreplied.Max = 2

	for name, want := range map[string]policy.Policy{"default": base, "vip": vip, "calm": calm, "empty": base} {
		got, ok := book.Policy(name)
		require.True(t, ok)
		require.Equal(t, want, got, name)
	}

	shop := book.Snapshot("shop")
	require.Equal(t, vip, shop.Policy)
	require.Equal(t, "Europe/Berlin", shop.Hours.Zone())
	require.Equal(t, `Shop "Köln" for ${PRICE}`, shop.Title)
	require.Equal(t, []string{"12345", "smith@example.com"}, shop.Agents)
	require.Equal(t, policy.TicketWebhook, shop.TicketKind)

	source, ok := book.Source("shop")
	require.True(t, ok)
	require.Equal(t, []string{"shop-s3cret", "old-one"}, source.Secrets)

	twt := book.Snapshot("twt")
	require.Equal(t, policy.ModeRelay, twt.Policy.Unreplied.Mode)
	require.Equal(t, 24*time.Hour, twt.Policy.Idle.Close.Std())
	require.Equal(t, 6, twt.Policy.Unreplied.Max)
	require.Equal(t, policy.ModeRelay, book.Snapshot("zendata").Policy.Unreplied.Mode)
	require.Equal(t, []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("192.168.0.7/32"),
	}, file.Network.Allow)
	require.Equal(t, map[string]channelConfig{
		"log": {Kind: "log"}, "boss": {Kind: "log"},
		"ops": {Kind: "webhook", URL: "https://hooks.example.com/T0/B0/abc?token=xyz", Secret: "ops-s3cret"},
	}, file.Channels)

	demo, err := file.Book(true)
	require.NoError(t, err)
	require.Equal(t, "demo", demo.Snapshot("shop").PolicyName)
	require.Equal(t, 6, demo.Snapshot("shop").Policy.Unreplied.Max)
}

func TestFilesWithoutContent(t *testing.T) {
	t.Parallel()

	for name, text := range map[string]string{
		"empty": "", "comment": "# nothing yet\n", "separator": "---\n", "null": "~\n", "empty sections": "policies:\nsources:\nhours:\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			file, err := load(t, text)
			require.NoError(t, err)

			book, err := file.Book(false)
			require.NoError(t, err)
			require.Len(t, book.Sources(), len(policy.Dialects()))
			require.Equal(t, policy.TicketStore, file.Tickets.Kind)
		})
	}
}

func TestNoSourcesIsNotTheDefaultSources(t *testing.T) {
	t.Parallel()

	file, err := load(t, "sources: {}\n")
	require.NoError(t, err)

	book, err := file.Book(false)
	require.NoError(t, err)
	require.Empty(t, book.Sources())
}

func TestWithoutAFile(t *testing.T) {
	t.Parallel()

	file, err := loadConfigFile("", lookupIn(nil))
	require.NoError(t, err)
	require.Equal(t, map[string]channelConfig{"log": {Kind: "log"}}, file.Channels)

	book, err := file.Book(true)
	require.NoError(t, err)
	require.Equal(t, "demo", book.Snapshot("livechat").PolicyName)
}

func TestFindConfigFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)

	file, err := findConfigFile(lookupIn(nil))
	require.NoError(t, err)
	require.Empty(t, file.Path)

	_, err = findConfigFile(lookupIn(map[string]string{"PARLEY_CONFIG": "other.yaml"}))
	require.ErrorIs(t, err, errConfigFile)
	require.ErrorIs(t, err, os.ErrNotExist)

	require.NoError(t, os.WriteFile("parley.yaml", []byte("tickets: {kind: store}\n"), 0o600))

	file, err = findConfigFile(lookupIn(map[string]string{"PARLEY_CONFIG": ""}))
	require.NoError(t, err)
	require.Equal(t, "parley.yaml", file.Path)
}

func TestFileIsBounded(t *testing.T) {
	t.Parallel()

	_, err := load(t, "#"+strings.Repeat("x", maxConfigBytes))
	require.ErrorContains(t, err, "is larger than 1 MiB")

	_, err = load(t, "#"+strings.Repeat("x", maxConfigBytes-1))
	require.NoError(t, err)
}
