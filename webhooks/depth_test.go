package webhooks_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals/dialects/dialect"
)

// TestDeepJSON is refused at the edge: stored inside an event it could not be
// read again.
func TestDeepJSON(t *testing.T) {
	t.Parallel()

	e := newEdge(t)
	deep := strings.Repeat(`{"a":`, dialect.MaxDepth) + "1" + strings.Repeat("}", dialect.MaxDepth)

	e.do(http.MethodPost, "/webhooks/shop", `[{"id":"1","raw":`+deep+`}]`).isProblem(t, http.StatusBadRequest, "bad-request")

	// Brackets in a text are no nesting.
	text := strings.Repeat("[{", 300) + `\"[`
	shallow := e.do(http.MethodPost, "/webhooks/shop",
		`[{"id":"1","type":"message.received","conversation":"c","message":{"text":"`+text+`"}}]`)
	require.Equal(t, http.StatusOK, shallow.status, shallow.body)
}
