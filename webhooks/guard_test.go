package webhooks_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHostGuard(t *testing.T) {
	t.Parallel()

	e := newEdge(t, withHosts("chat.example.com", "10.0.0.7"))
	tests := map[string]int{
		"localhost":             http.StatusOK,
		"LOCALHOST.:9999":       http.StatusOK,
		"127.0.0.1:8080":        http.StatusOK,
		"127.8.9.1":             http.StatusOK,
		"[::1]:8080":            http.StatusOK,
		"chat.example.com":      http.StatusOK,
		"Chat.Example.com:443":  http.StatusOK,
		"10.0.0.7:8080":         http.StatusOK,
		"evil.example.com":      http.StatusForbidden,
		"chat.example.com.evil": http.StatusForbidden,
		"127.0.0.1.evil.com":    http.StatusForbidden,
		"localhost.evil.com":    http.StatusForbidden,
		"10.0.0.8":              http.StatusForbidden,
		"2130706433":            http.StatusForbidden,
		"0.0.0.0:8080":          http.StatusForbidden,
	}

	for host, status := range tests {
		t.Run(host, func(t *testing.T) {
			t.Parallel()

			for _, path := range []string{"/healthz", "/v1/tickets", "/docs"} {
				got := e.do(http.MethodGet, path, "", "Host", host)
				require.Equal(t, status, got.status, got.body)

				if status == http.StatusForbidden {
					got.isProblem(t, status, "host-not-allowed")
				}
			}
		})
	}
}

func TestAbsoluteTargetIsGuarded(t *testing.T) {
	t.Parallel()

	e := newEdge(t)

	for name, request := range map[string]string{
		"foreign target": "GET http://evil.example.com/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
		"no host":        "GET /healthz HTTP/1.0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			response := e.raw(t, request)
			require.Equal(t, http.StatusForbidden, response.status, response.body)
		})
	}
}

// raw sends bytes as they are.
func (e *edge) raw(t *testing.T, request string) answer {
	t.Helper()

	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(e.url, "http://"))
	require.NoError(t, err)

	defer func() { require.NoError(t, conn.Close()) }()

	require.NoError(t, conn.SetDeadline(time.Now().Add(5*time.Second)))

	_, err = io.WriteString(conn, request)
	require.NoError(t, err)

	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)

	return read(t, response)
}

func TestOriginGuard(t *testing.T) {
	t.Parallel()

	e := newEdge(t, withHosts("chat.example.com"))
	port := e.url[strings.LastIndex(e.url, ":"):]
	tests := map[string]int{
		"":                          http.StatusOK,
		"http://127.0.0.1" + port:   http.StatusOK,
		"http://localhost" + port:   http.StatusOK,
		"https://chat.example.com":  http.StatusOK,
		"http://127.0.0.1:1":        http.StatusForbidden,
		"http://evil.example.com":   http.StatusForbidden,
		"http://evil.com" + port:    http.StatusForbidden,
		"null":                      http.StatusForbidden,
		"http://localhost.evil.com": http.StatusForbidden,
	}

	for origin, status := range tests {
		t.Run(origin, func(t *testing.T) {
			t.Parallel()

			var header []string
			if origin != "" {
				header = []string{"Origin", origin}
			}

			got := e.do(http.MethodPost, "/webhooks/shop", message(origin, "1"), header...)
			require.Equal(t, status, got.status, got.body)

			if status == http.StatusForbidden {
				got.isProblem(t, status, "origin-not-allowed")
			}
		})
	}
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()

	e := newEdge(t)

	for _, got := range []answer{
		e.do(http.MethodGet, "/healthz", ""),
		e.do(http.MethodGet, "/nowhere", ""),
		e.do(http.MethodGet, "/healthz", "", "Host", "evil.example.com"),
		e.raw(t, "POST /webhooks/shop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n"),
	} {
		require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
		require.Contains(t, got.header.Get("Content-Security-Policy"), "default-src 'none'")
		require.Equal(t, "no-store", got.header.Get("Cache-Control"))
		require.Empty(t, got.header.Get("Access-Control-Allow-Origin"))
		require.Empty(t, got.header.Get("Server"))
	}
}

func TestUnknownRoutesAndMethods(t *testing.T) {
	t.Parallel()

	e := newEdge(t)

	for _, path := range []string{"/v1", "/v1/nothing", "/v1/conversations/", "/v1/conversations/shop/c/explode", "/V1/tickets"} {
		e.do(http.MethodGet, path, "").isProblem(t, http.StatusNotFound, "not-found")
	}

	e.do(http.MethodPost, "/", "").isProblem(t, http.StatusMethodNotAllowed, "method-not-allowed")

	got := e.do(http.MethodDelete, "/v1/conversations/shop/c", "")
	got.isProblem(t, http.StatusMethodNotAllowed, "method-not-allowed")
	require.Contains(t, got.header.Get("Allow"), http.MethodGet)

	e.do(http.MethodGet, "/webhooks/shop", "").isProblem(t, http.StatusMethodNotAllowed, "method-not-allowed")
	e.do(http.MethodGet, "/v1/conversations/shop/c/close", "").isProblem(t, http.StatusMethodNotAllowed, "method-not-allowed")
	e.raw(t, "BREW /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").
		isProblem(t, http.StatusMethodNotAllowed, "method-not-allowed")
}
