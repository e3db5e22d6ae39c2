package tests_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// brief is a policy that closes out as soon as a test can look; its other
// clocks never fall due.
const brief = `
policies:
  default:
    unreplied: {first: 1h, repeat: 1h}
    closeout:  {grace: 500ms}
`

// wrongSecret signs what must be refused.
const wrongSecret = "not the secret"

// reply is an answer as a platform sees it.
type reply struct {
	status int
	header http.Header
	body   string
}

// call sends what a platform sends and returns the whole answer.
func (p *process) call(method, path string, body []byte, header ...string) reply {
	p.t.Helper()

	ctx, cancel := context.WithTimeout(p.t.Context(), 20*time.Second)
	defer cancel()

	request, err := http.NewRequestWithContext(ctx, method, p.url(path), bytes.NewReader(body))
	require.NoError(p.t, err)

	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}

	response, err := http.DefaultClient.Do(request)
	require.NoError(p.t, err)

	defer func() { require.NoError(p.t, response.Body.Close()) }()

	answer, err := io.ReadAll(response.Body)
	require.NoError(p.t, err)

	return reply{status: response.StatusCode, header: response.Header, body: string(answer)}
}

// ticketed waits for a conversation's ticket and reads it.
func (p *process) ticketed(key signals.Key) signals.Ticket {
	p.t.Helper()

	view := p.eventually(key, 15*time.Second, "closed with a ticket", func(v signals.View) bool {
		return v.Status == signals.StatusClosed && v.Ticket != nil
	})
	require.Equal(p.t, signals.TicketStatusCreated, view.Ticket.Status)
	require.Equal(p.t, 1, view.Session)
	require.Equal(p.t, view.Accepted, view.Applied+view.Late+view.Ignored)

	var ticket signals.Ticket

	require.Eventually(p.t, func() bool {
		status, body := p.do(http.MethodGet, "/v1/tickets/"+view.Ticket.ID, nil)

		return status == http.StatusOK && json.Unmarshal(body, &ticket) == nil
	}, 5*time.Second, 50*time.Millisecond, "the ticket is in the store")

	return ticket
}

// unlogged fails the test if the program printed one of the secrets.
func (p *process) unlogged(secrets ...string) {
	p.t.Helper()

	for _, secret := range secrets {
		require.NotContains(p.t, p.output(), secret)
	}
}

// spoken is a transcript as role and text.
func spoken(ticket *signals.Ticket) []string {
	lines := make([]string, 0, len(ticket.Transcript))
	for _, line := range ticket.Transcript {
		lines = append(lines, string(line.Role)+": "+line.Text)
	}

	return lines
}

// sampleBytes is a published sample of a dialect as it stands in its file.
func sampleBytes(t *testing.T, dialect, name string) []byte {
	t.Helper()

	data, err := os.ReadFile(filepath.Join("..", "signals", "dialects", dialect, "testdata", "fixtures", filepath.FromSlash(name)+".json"))
	require.NoError(t, err)

	return data
}

// sample is a published sample to be changed.
func sample(t *testing.T, dialect, name string) map[string]any {
	t.Helper()

	var body map[string]any
	require.NoError(t, json.Unmarshal(sampleBytes(t, dialect, name), &body))

	return body
}

// encoded is a body as platforms write it: compact, and without escapes for HTML.
func encoded(t *testing.T, body any) []byte {
	t.Helper()

	var out bytes.Buffer

	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	require.NoError(t, encoder.Encode(body))

	return bytes.TrimRight(out.Bytes(), "\n")
}

// signedHex is the lower-case hexadecimal HMAC-SHA256 of a body.
func signedHex(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)

	return hex.EncodeToString(mac.Sum(nil))
}
