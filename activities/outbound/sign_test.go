package outbound_test

import (
	"net/http"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/activities/outbound"
)

func TestChatSignatureVector(t *testing.T) {
	t.Parallel()

	body := `{"created_at":1765439941,"event":"UNREPLIED","webhook_id":"58946f5f583edd94f5cf87e3534d04fb","content":[` +
		`{"subject":"New Conversation","visitor_name":"Visitor15","created_at":1765439652,"message_content":"1",` +
		`"property_name":"test","visitor_nickname":"visitor nickname","sbs":"","status":"1","push_times":4,"time_sec":289,` +
		`"assigned_agent_nickname":"ctccccd"}]}`
	require.Equal(t, "08d2b9ccd54946529faebacc8e358e1586b917f18b2ecfa2c3da6cbbc2c64385",
		outbound.ChatSignature([]byte(body), "test-secret"))
}

func TestSignVerifiesAsStandardWebhooks(t *testing.T) {
	t.Parallel()

	now := time.Now()
	body := []byte(`{"a":1}`)

	raw, err := standardwebhooks.NewWebhookRaw([]byte("plain secret"))
	require.NoError(t, err)

	encoded, err := standardwebhooks.NewWebhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	require.NoError(t, err)

	for secret, hook := range map[string]*standardwebhooks.Webhook{
		"plain secret": raw, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": encoded,
	} {
		header := http.Header{}
		require.NoError(t, outbound.Sign(header, "conversation:livechat:X/1/7", body, secret, now))
		require.NoError(t, hook.Verify(body, header))
		require.Equal(t, "conversation:livechat:X/1/7", header.Get(outbound.WebhookIDHeader))
		require.Equal(t, outbound.ChatSignature(body, secret), header.Get(outbound.ChatSignatureHeader))
	}
}

func TestSignWithoutASecretSetsTheIDOnly(t *testing.T) {
	t.Parallel()

	header := http.Header{}
	require.NoError(t, outbound.Sign(header, "id", nil, "", time.Now()))
	require.Len(t, header, 1)
}

func TestSignSaysNothingOfABadSecret(t *testing.T) {
	t.Parallel()

	err := outbound.Sign(http.Header{}, "id", nil, "whsec_not*base64", time.Now())
	require.True(t, outbound.IsPermanent(err))
	require.NotContains(t, err.Error(), "not*base64")
}
