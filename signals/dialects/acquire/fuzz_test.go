package acquire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/acquire"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/tests/dialecttest"
)

// twice are bodies that say the same thing in two of the places where it may
// stand, once with a value and once empty or with another: what decides when
// one is read must decide when it is written.
func twice() []string {
	return []string{
		`{"event":"case:new","data":{"caseId":"5","id":""}}`,
		`{"event":"case:new","data":{"caseId":"5","id":7}}`,
		`{"event":"case:new","data":{"caseId":"5","case_id":"5"}}`,
		`{"event":"case:new","data":{"caseId":"5","case_id":"6","case":null}}`,
		`{"event":"case:new","data":{"id":"5","contact":{"id":"1","name":"A","email":null,"fields":{"name":"B","email":"e","phone":""}}}}`,
		`{"event":"user:case-joined","data":{"caseId":"5","case":null,"userId":"6","agentId":"7"}}`,
		`{"event":"user:case-invite","data":{"caseId":"5","userId":"6","user":{"id":"6"},"agent":""}}`,
		`{"event":"user:status","data":{"userId":"5","id":7,"status":"busy","state":"busy"}}`,
		`{"event":"user:status","data":{"userId":"5","agent":"","state":"busy"}}`,
		`{"event":"case:message:new","data":{"caseId":"5","message":{"caseId":"6","message":"a","text":"b","id":"1","_id":2}}}`,
		`{"event":"case:message:new","data":{"caseId":"5","messages":[
			{"caseId":"6","body":"b","dateCreated":"x","createdAt":"2026-11-20 10:00:00"}]}}`,
		`{"event":"case:status","data":{"caseId":"5","status":"x","contact":{},"messages":[{"message":"a","case_id":"6"},{"msg":"b"}]}}`,
		`{"event":"CHAT_ON_START","id":"5"," id":"6","details":"{\"name\":\"A\"}"}`,
		`{"event":"CHAT_ON_ACCEPT","data":{"id":"5"," id":"6","user":{"id":"agent-","id_real":"7"}}}`,
		`{"event":"CHAT_ON_ACCEPT","id":"5","user":{}}`,
		`{"event":"CHAT_ON_MESSAGE","id":"5","message":{"msg":"a","text":"b","user":{}}}`,
		`{"event":"CHAT_ON_CLOSE","id":"5","by":"agent-","chat_duration":"07","users":{"visitor":{"name":"A"}}}`,
	}
}

func FuzzDecode(f *testing.F) {
	for _, sample := range allFixtures(f) {
		f.Add("application/json", sample.Body)
	}

	f.Add("application/x-www-form-urlencoded", []byte("event=case%3Astatus&hmacKey=1"))
	f.Add("text/xml", []byte("<event/>"))

	for _, body := range twice() {
		f.Add("application/json", []byte(body))
	}

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

			again(t, dialecttest.Kept(t, events[i])[0])
		}

		if !foreign(events) {
			whole(t, body, dialecttest.Kept(t, events...))
		}
	})
}

func foreign(events []signals.Event) bool {
	return events[0].Type == signals.Unknown && events[0].Platform == nil
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

// whole encodes what one webhook brought: nothing that stood in it is missing,
// or says something else.
func whole(t *testing.T, body []byte, events []signals.Event) {
	t.Helper()

	if secret := bytes.ToLower(body); bytes.Contains(secret, []byte("hmac")) || bytes.Contains(secret, []byte("secret")) ||
		bytes.Contains(secret, []byte(`\u`)) {
		return // what is cut out does not come back
	}

	encoded, err := acquire.EncodeAll(events)
	if errors.Is(err, dialect.ErrNotEncodable) && len(events) == 1 && events[0].Type != signals.Unknown {
		encoded, err = acquire.Dialect{}.Encode(events[0])
	}

	if errors.Is(err, dialect.ErrNotEncodable) {
		require.True(t, len(events) > 1 || events[0].Type == signals.Unknown, "%s: %v", events[0].Type, err)

		return
	}

	require.NoError(t, err)
	require.Empty(t, lost(dialecttest.Tree(t, body), dialecttest.Tree(t, encoded)), "%s\n%s", body, encoded)
}

// lost is the path of something in one value that the other does not say. An
// object in a string may come back as an object.
func lost(was, is any) string {
	switch was := was.(type) {
	case map[string]any:
		is, same := is.(map[string]any)
		if !same {
			return "."
		}

		for name, value := range was {
			inner, there := is[name]
			if !there {
				return "." + name
			}

			if path := lost(value, inner); path != "" {
				return "." + name + path
			}
		}
	case []any:
		is, same := is.([]any)
		if !same || len(is) != len(was) {
			return "[]"
		}

		for i := range was {
			if path := lost(was[i], is[i]); path != "" {
				return "[" + strconv.Itoa(i) + "]" + path
			}
		}
	default:
		if was != is && lostInside(was, is) {
			return " "
		}
	}

	return ""
}

func lostInside(was, is any) bool {
	var before, after any

	text, isText := was.(string)
	if !isText || json.Unmarshal([]byte(text), &before) != nil {
		return true
	}

	if nested, isText := is.(string); !isText {
		after = is
	} else if json.Unmarshal([]byte(nested), &after) != nil {
		return true
	}

	return lost(before, after) != ""
}

func FuzzVerify(f *testing.F) {
	for _, sample := range allFixtures(f) {
		f.Add(sample.Body, mac(string(sample.Body), "right"))
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
		b.Run(sample.Name, func(b *testing.B) {
			req := post(string(sample.Body))
			src := source()
			src.Secrets = []string{"right"}
			req.Header.Set("X-Acquire-Signature", mac(string(sample.Body), "right"))

			b.ReportAllocs()
			b.SetBytes(int64(len(sample.Body)))

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
