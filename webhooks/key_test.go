package webhooks_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/webhooks"
)

func newKey(t *testing.T, name string, scopes ...string) (token, entry string) {
	t.Helper()

	token, entry, err := webhooks.NewKey(name, scopes)
	require.NoError(t, err)
	require.NotContains(t, entry, token)

	return token, entry
}

func TestKeysAndScopes(t *testing.T) {
	t.Parallel()

	reader, readEntry := newKey(t, "reader", webhooks.ScopeRead)
	boss, bossEntry := newKey(t, "boss", webhooks.ScopeRead, webhooks.ScopeCommand, webhooks.ScopeRaw)
	e := newEdge(t, withKeys(readEntry, " "+bossEntry+" ", ""))
	e.run(view("shop", "c", signals.StatusActive))
	e.account = []signals.Event{{ID: "1", Type: signals.AccountChanged, Raw: []byte(`{"word":"for word"}`)}}
	e.answer = nil

	const one = "/v1/conversations/shop/c"

	tests := map[string]struct {
		method, path, auth string
		status             int
		slug               string
	}{
		"no key":              {http.MethodGet, one, "", http.StatusUnauthorized, "unauthorized"},
		"wrong key":           {http.MethodGet, one, "Bearer parley_x", http.StatusUnauthorized, "unauthorized"},
		"wrong scheme":        {http.MethodGet, one, "Basic " + reader, http.StatusUnauthorized, "unauthorized"},
		"the entry's hash":    {http.MethodGet, one, "Bearer " + readEntry[strings.LastIndex(readEntry, ":")+1:], 401, "unauthorized"},
		"reader reads":        {http.MethodGet, one, "Bearer " + reader, http.StatusOK, ""},
		"boss reads":          {http.MethodGet, one, "bearer " + boss, http.StatusOK, ""},
		"reader commands":     {http.MethodPost, one + "/close", "Bearer " + reader, http.StatusForbidden, "forbidden"},
		"reader sends events": {http.MethodPost, one + "/events", "Bearer " + reader, http.StatusForbidden, "forbidden"},
		"metrics":             {http.MethodGet, "/metrics", "", http.StatusUnauthorized, "unauthorized"},
		"health needs none":   {http.MethodGet, "/healthz", "", http.StatusOK, ""},
		"docs need none":      {http.MethodGet, "/docs", "", http.StatusOK, ""},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var header []string
			if test.auth != "" {
				header = []string{"Authorization", test.auth}
			}

			got := e.do(test.method, test.path, "", header...)
			require.Equal(t, test.status, got.status, got.body)

			if test.slug != "" {
				got.isProblem(t, test.status, test.slug)
			}

			if test.status == http.StatusUnauthorized {
				require.Contains(t, got.header.Get("WWW-Authenticate"), "Bearer")
			}
		})
	}

	t.Run("webhooks need none", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, http.StatusOK, e.do(http.MethodPost, "/webhooks/shop", message("w", "1")).status)
	})

	t.Run("raw", func(t *testing.T) {
		t.Parallel()

		const path = "/v1/sources/shop/events"

		require.NotContains(t, e.do(http.MethodGet, path, "", "Authorization", "Bearer "+reader).body, "for word")
		require.Contains(t, e.do(http.MethodGet, path, "", "Authorization", "Bearer "+boss).body, "for word")
	})
}

func TestNewKeyRefusesNonsense(t *testing.T) {
	t.Parallel()

	for name, scopes := range map[string][]string{"a:b": {"read"}, "": {"read"}, "ok": {"write"}, "none": nil} {
		_, _, err := webhooks.NewKey(name, scopes)
		require.ErrorIs(t, err, webhooks.ErrConfig, name)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()

	_, entry := newKey(t, "k", webhooks.ScopeRead)
	tests := map[string]struct {
		config webhooks.Config
		names  string // the setting that the error names; empty for none
	}{
		"loopback":            {webhooks.Config{HTTPAddr: "127.0.0.1:8080"}, ""},
		"loopback by name":    {webhooks.Config{HTTPAddr: "localhost:0"}, ""},
		"loopback, IPv6":      {webhooks.Config{HTTPAddr: "[::1]:8080"}, ""},
		"everywhere":          {webhooks.Config{HTTPAddr: ":8080"}, "PARLEY_HTTP_ADDR"},
		"everywhere, IPv4":    {webhooks.Config{HTTPAddr: "0.0.0.0:8080"}, "PARLEY_API_KEYS"},
		"everywhere with key": {webhooks.Config{HTTPAddr: "0.0.0.0:8080", APIKeys: []string{entry}}, ""},
		"no port":             {webhooks.Config{HTTPAddr: "127.0.0.1"}, "PARLEY_HTTP_ADDR"},
		"bad port":            {webhooks.Config{HTTPAddr: "127.0.0.1:99999"}, "PARLEY_HTTP_ADDR"},
		"host with scheme":    {webhooks.Config{HTTPAddr: "127.0.0.1:0", AllowedHosts: []string{"https://x"}}, "PARLEY_ALLOWED_HOSTS"},
		"key without hash":    {webhooks.Config{HTTPAddr: "127.0.0.1:0", APIKeys: []string{"k:read"}}, "PARLEY_API_KEYS"},
		"key with token":      {webhooks.Config{HTTPAddr: "127.0.0.1:0", APIKeys: []string{"k:read:parley_secret"}}, "PARLEY_API_KEYS"},
		"two of a name":       {webhooks.Config{HTTPAddr: "127.0.0.1:0", APIKeys: []string{entry, entry}}, "PARLEY_API_KEYS"},
	}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := webhooks.New(test.config, webhooks.Deps{Sources: []webhooks.Source{newSource("shop")}, Own: plain{}})
			if test.names == "" {
				require.NoError(t, err)

				return
			}

			require.ErrorIs(t, err, webhooks.ErrConfig)
			require.Contains(t, err.Error(), test.names)
			require.NotContains(t, err.Error(), "\n")
			require.NotContains(t, err.Error(), "parley_secret")
		})
	}
}

func TestTakenPort(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	other, err := webhooks.New(webhooks.Config{HTTPAddr: e.server.Addr()}, webhooks.Deps{})
	require.NoError(t, err)

	err = other.Listen(t.Context())
	require.ErrorIs(t, err, webhooks.ErrConfig)
	require.ErrorContains(t, err, "PARLEY_HTTP_ADDR")
	require.NotContains(t, err.Error(), "\n")
	require.NoError(t, other.Shutdown(t.Context()))
}
