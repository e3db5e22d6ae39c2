package acquire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/acquire"
	"github.com/parleyhq/parley/signals/dialects/dialect"
)

func FuzzDecode(f *testing.F) {
	for _, sample := range allFixtures(f) {
		f.Add("application/json", sample.body)
	}

	f.Add("application/x-www-form-urlencoded", []byte("event=case%3Astatus&hmacKey=1"))
	f.Add("text/xml", []byte("<event/>"))

	f.Fuzz(func(t *testing.T, media string, body []byte) {
		req := post(string(body))
		req.Header.Set("Content-Type", media)

		events, err := acquire.Dialect{}.Decode(req, source())
		if err != nil {
			require.Contains(t, []int{400, 422}, acquire.Dialect{}.Refuse(req, err).Status, err)

			return
		}

		require.NotEmpty(t, events)
		require.LessOrEqual(t, len(events), acquire.MaxTranscript+3)

		for i := range events {
			require.NoError(t, events[i].Validate())
			require.True(t, events[i].Type.Incoming())
			require.NotEmpty(t, events[i].ID)
			require.True(t, json.Valid(events[i].Raw))

			again(t, stored(t, events[i:i+1])[0])
		}
	})
}

// again decodes what an event encodes to: it says the same.
func again(t *testing.T, event signals.Event) {
	t.Helper()

	body, err := acquire.Dialect{}.Encode(event)
	if err != nil {
		require.ErrorIs(t, err, dialect.ErrNotEncodable)

		return
	}

	events, err := acquire.Dialect{}.Decode(post(string(body)), source())
	require.NoError(t, err, string(body))

	for i := range events {
		if events[i].Type != event.Type {
			continue
		}

		require.Equal(t, event.Conversation, events[i].Conversation, string(body))
		require.Equal(t, event.Actor, events[i].Actor, string(body))
		require.Equal(t, event.Status, events[i].Status)
		require.Equal(t, event.Closing, events[i].Closing)
		require.Equal(t, event.Message, events[i].Message)

		return
	}

	require.Fail(t, "comes back as something else", "%s: %s", event.Type, body)
}

func FuzzVerify(f *testing.F) {
	for _, sample := range allFixtures(f) {
		f.Add(sample.body, mac(string(sample.body), "right"))
	}

	f.Add([]byte(`{"event": "x"}`), mac(`{"event":"x"}`, "right"))
	f.Add([]byte(`a=b`), mac(`a=b`, ""))

	f.Fuzz(func(t *testing.T, body []byte, signature string) {
		err := acquire.Dialect{}.Verify(signedWith(string(body), signature), dialect.Source{Secrets: []string{"right", ""}})
		if err != nil {
			require.True(t, errors.Is(err, dialect.ErrUnauthorized) || errors.Is(err, dialect.ErrNotSigned))

			return
		}

		var compacted bytes.Buffer

		_ = json.Compact(&compacted, body) // what is not JSON has one form only

		require.Contains(t, []string{mac(string(body), "right"), mac(compacted.String(), "right")}, signature)
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, sample := range allFixtures(b) {
		b.Run(sample.name, func(b *testing.B) {
			req := post(string(sample.body))
			src := source()
			src.Secrets = []string{"right"}
			req.Header.Set("X-Acquire-Signature", mac(string(sample.body), "right"))

			b.ReportAllocs()
			b.SetBytes(int64(len(sample.body)))

			var count int

			for b.Loop() {
				_ = acquire.Dialect{}.Verify(req, src) // version 1 is refused, and costs as much

				events, err := acquire.Dialect{}.Decode(req, src)
				if err != nil {
					b.Fatal(err)
				}

				count = len(events)
			}

			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*count), "ns/event")
		})
	}
}
