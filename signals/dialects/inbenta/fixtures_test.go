package inbenta_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/signals/dialects/inbenta"
	"github.com/parleyhq/parley/tests/dialecttest"
)

const secret = "test-secret"

func received() time.Time { return time.Date(2020, 3, 4, 14, 10, 0, 301e6, time.UTC) }

func source() dialect.Source { return dialect.Source{Name: "inbenta"} }

func signed() dialect.Source {
	return dialect.Source{Name: "inbenta", Secrets: []string{"old-secret", secret}}
}

func sign(body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)

	return hex.EncodeToString(mac.Sum(nil))
}

func post(body string) dialect.Request {
	return dialect.Request{Method: http.MethodPost, Body: []byte(body), Header: http.Header{}, ReceivedAt: received()}
}

// The fixtures are made: the envelope is published, the data is what Inbenta's
// own connectors and chat adapter read, and for events that none of them reads
// the forms that the decoder accepts.
func allFixtures(tb testing.TB) []dialecttest.Fixture {
	tb.Helper()

	all := dialecttest.Read(tb, "*.json")
	require.Len(tb, all, 45, "fixtures")

	return all
}

func decode(tb testing.TB, body string) signals.Event {
	tb.Helper()

	return dialecttest.One(tb, inbenta.Dialect{}, post(body), source())
}

func encode(tb testing.TB, event signals.Event) map[string]any {
	tb.Helper()

	return dialecttest.Object(tb, dialecttest.Encode(tb, inbenta.Dialect{}, event))
}
