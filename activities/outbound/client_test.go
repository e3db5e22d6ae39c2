package outbound //nolint:testpackage // the certificate authorities of tests are not exported

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func loopback() Config {
	return Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}
}

const token = "/services/T000/B000/sEcReT?token=hush"

func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()

	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)

	return server
}

func post(t *testing.T, cfg Config, url string) (*Response, error) {
	t.Helper()

	client := NewClient(cfg)
	t.Cleanup(client.Close)

	return client.Post(t.Context(), &Request{URL: url, Header: http.Header{"X-One": {"1"}}, Body: []byte("body")})
}

func TestPostSendsWhatItIsGiven(t *testing.T) {
	t.Parallel()

	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != "body" || r.Method != http.MethodPost || r.Header.Get("X-One") != "1" {
			w.WriteHeader(http.StatusBadRequest)
		}

		w.Header().Set("X-Encoding", r.Header.Get("Accept-Encoding"))
		w.Header().Set("X-Agent", r.Header.Get("User-Agent"))
		_, _ = io.WriteString(w, "ok")
	})

	response, err := post(t, loopback(), server.URL+token)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.Status)
	require.Equal(t, "ok", string(response.Body))
	require.False(t, response.Cut)
	require.Empty(t, response.Header.Get("X-Encoding"), "nothing packed is asked for")
	require.Equal(t, "Parley", response.Header.Get("X-Agent"))
}

func TestPostRefusesForbiddenAddresses(t *testing.T) {
	t.Parallel()

	reached := make(chan struct{}, 1)
	server := serve(t, func(http.ResponseWriter, *http.Request) { reached <- struct{}{} })
	port := server.Listener.Addr().(*net.TCPAddr).AddrPort().Port()

	for name, url := range map[string]string{
		"by address": server.URL + token,
		"by name":    "http://localhost:" + netip.AddrPortFrom(netip.IPv4Unspecified(), port).String()[len("0.0.0.0:"):] + token,
		"mapped":     strings.Replace(server.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1) + token,
		"decimal":    "http://0.0.0.0:1" + token,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := post(t, Config{}, url)
			require.ErrorIs(t, err, ErrForbiddenAddress)
			require.NotContains(t, err.Error(), "sEcReT")
			require.NotContains(t, err.Error(), "hush")
			require.Contains(t, err.Error(), "network.allow")
		})
	}

	require.Empty(t, reached)
}

func TestPostFollowsNoRedirect(t *testing.T) {
	t.Parallel()

	reached := make(chan struct{}, 1)
	other := serve(t, func(http.ResponseWriter, *http.Request) { reached <- struct{}{} })
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})

	response, err := post(t, loopback(), server.URL)
	require.NoError(t, err)
	require.Equal(t, http.StatusTemporaryRedirect, response.Status)
	require.Empty(t, reached)
	require.ErrorContains(t, Judge(response, time.Now()), "307 Temporary Redirect")
}

func TestPostIgnoresProxyVariables(t *testing.T) {
	reached := make(chan struct{}, 1)
	proxy := serve(t, func(http.ResponseWriter, *http.Request) { reached <- struct{}{} })
	server := serve(t, func(http.ResponseWriter, *http.Request) {})
	// Go's own transport would ignore it for loopback targets, but not for this name's sake.
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("ALL_PROXY", proxy.URL)

	_, err := post(t, loopback(), server.URL)
	require.NoError(t, err)
	require.Empty(t, reached)

	transport, ok := NewClient(Config{}).http.Transport.(*http.Transport)
	require.True(t, ok)
	require.Nil(t, transport.Proxy)
}

func TestPostReadsABoundedAnswer(t *testing.T) {
	t.Parallel()

	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	})

	response, err := post(t, loopback(), server.URL)
	require.NoError(t, err)
	require.Len(t, response.Body, maxAnswer)
	require.True(t, response.Cut)
}

func TestPostUnpacksNothing(t *testing.T) {
	t.Parallel()

	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")

		packed := gzip.NewWriter(w)
		_, _ = packed.Write(make([]byte, 10<<20))
		_ = packed.Close()
	})

	response, err := post(t, loopback(), server.URL)
	require.NoError(t, err)
	require.Less(t, len(response.Body), maxAnswer)
	require.Equal(t, byte(0x1f), response.Body[0], "as it came")
}

func TestPostWhenReceiversMisbehave(t *testing.T) {
	t.Parallel()

	t.Run("hangs up before the answer", func(t *testing.T) {
		t.Parallel()

		server := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		_, err := post(t, loopback(), server.URL+token)
		requireTemporary(t, err, "hung up")
	})
	t.Run("hangs up within the answer", func(t *testing.T) {
		t.Parallel()

		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		response, err := post(t, loopback(), server.URL)
		require.NoError(t, err, "its status has come")
		require.Equal(t, http.StatusOK, response.Status)
		require.True(t, response.Cut)
	})
	t.Run("does not speak HTTP", func(t *testing.T) {
		t.Parallel()

		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)

		go func() {
			conn, err := listener.Accept()
			if err == nil {
				_, _ = io.WriteString(conn, "GET /services/T000/B000/sEcReT?token=hush\r\n\r\n")
				_ = conn.Close()
			}
		}()

		t.Cleanup(func() { _ = listener.Close() })

		_, err = post(t, loopback(), "http://"+listener.Addr().String()+token)
		requireTemporary(t, err, "127.0.0.1:")
	})
	t.Run("answers too late", func(t *testing.T) {
		t.Parallel()

		release := make(chan struct{})
		server := serve(t, func(http.ResponseWriter, *http.Request) { <-release })

		defer close(release)

		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()

		client := NewClient(loopback())
		t.Cleanup(client.Close)

		_, err := client.Post(ctx, &Request{URL: server.URL + token})
		requireTemporary(t, err, "no answer in time")
	})
	t.Run("is not there", func(t *testing.T) {
		t.Parallel()

		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()

		_, err := post(t, loopback(), server.URL+token)
		requireTemporary(t, err, "refused")
	})
	t.Run("has a name that is not known", func(t *testing.T) {
		t.Parallel()

		_, err := post(t, loopback(), "http://nobody.invalid"+token)
		requireTemporary(t, err, "nobody.invalid")
	})
	t.Run("has a certificate of its own making", func(t *testing.T) {
		t.Parallel()

		server := httptest.NewTLSServer(http.NotFoundHandler())
		t.Cleanup(server.Close)

		_, err := post(t, loopback(), server.URL+token)
		requireTemporary(t, err, "certificate")
	})
}

func requireTemporary(t *testing.T, err error, text string) {
	t.Helper()

	failure, ok := errors.AsType[*Failure](err)
	require.True(t, ok, "%v", err)
	require.False(t, failure.Permanent)
	require.Contains(t, failure.Error(), text)
	require.NotContains(t, failure.Error(), "sEcReT")
	require.NotContains(t, failure.Error(), "hush")
}

func TestPostSpeaksModernTLSOnly(t *testing.T) {
	t.Parallel()

	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	server.StartTLS()
	t.Cleanup(server.Close)

	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())

	client := newClient(loopback(), &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
	t.Cleanup(client.Close)

	_, err := client.Post(t.Context(), &Request{URL: server.URL})
	requireTemporary(t, err, "protocol version")

	modern := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(modern.Close)
	roots.AddCert(modern.Certificate())

	response, err := client.Post(t.Context(), &Request{URL: modern.URL})
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, response.Status)
}

func TestPostRefusesBadURLs(t *testing.T) {
	t.Parallel()

	for _, url := range []string{"", "ftp://example.com/sEcReT", "https:///sEcReT", "http://a b/sEcReT", "file:///etc/passwd", "://sEcReT"} {
		_, err := post(t, loopback(), url)
		require.True(t, IsPermanent(err), url)
		require.NotContains(t, err.Error(), "sEcReT")
	}
}

func TestMaskCutsSecrets(t *testing.T) {
	t.Parallel()

	target, err := ParseURL("https://user:passw0rd@hooks.example.com" + token)
	require.NoError(t, err)

	text := mask("cannot parse /services/T000/B000/sEcReT?token=hush, nor token=hush, nor passw0rd", target)
	require.Equal(t, "cannot parse …, nor …, nor …", text)
	require.LessOrEqual(t, len(mask(strings.Repeat("x", 10_000), target)), maxReason)
}

func TestJudge(t *testing.T) {
	t.Parallel()

	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

	for name, tc := range map[string]struct {
		status     int
		retryAfter string
		ok         bool
		permanent  bool
		wait       time.Duration
	}{
		"200":                    {status: 200, ok: true},
		"204":                    {status: 204, ok: true},
		"199":                    {status: 199},
		"302":                    {status: 302},
		"400 may be mended":      {status: 400},
		"404 may be mended":      {status: 404},
		"410 is for good":        {status: 410, permanent: true},
		"429 in seconds":         {status: 429, retryAfter: "30", wait: 30 * time.Second},
		"429 at a date":          {status: 429, retryAfter: "Fri, 20 Nov 2026 10:01:00 GMT", wait: time.Minute},
		"429 at a date gone by":  {status: 429, retryAfter: "Fri, 20 Nov 2026 09:01:00 GMT"},
		"429 with nonsense":      {status: 429, retryAfter: "soon"},
		"429 below zero":         {status: 429, retryAfter: "-5"},
		"429 beyond all bounds":  {status: 429, retryAfter: "99999999999999999999"},
		"503 in seconds":         {status: 503, retryAfter: "5", wait: 5 * time.Second},
		"500 says nothing of it": {status: 500, retryAfter: "5"},
		"an unknown status":      {status: 599},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			err := Judge(&Response{Status: tc.status, Header: http.Header{"Retry-After": {tc.retryAfter}}}, now)
			if tc.ok {
				require.NoError(t, err)

				return
			}

			failure, ok := errors.AsType[*Failure](err)
			require.True(t, ok)
			require.Equal(t, tc.permanent, failure.Permanent)
			require.Equal(t, tc.wait, failure.RetryAfter)
		})
	}
}
