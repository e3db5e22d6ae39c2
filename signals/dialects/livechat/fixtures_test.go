package livechat_test

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/signals/dialects/dialect"
	"github.com/parleyhq/parley/signals/dialects/livechat"
	"github.com/parleyhq/parley/tests/dialecttest"
)

func received() time.Time { return time.Date(2026, 11, 20, 10, 0, 0, 301e6, time.UTC) }

func source() dialect.Source { return dialect.Source{Name: "livechat"} }

// fixture is one published sample, its placeholders filled.
type fixture struct {
	name   string
	action string
	bare   bool
	body   map[string]any
}

func (f fixture) request(tb testing.TB) dialect.Request {
	tb.Helper()

	body, err := json.Marshal(f.body)
	require.NoError(tb, err)

	req := dialect.Request{Method: "POST", Body: body, ReceivedAt: received()}
	if f.bare {
		req.Path = "/" + f.action
	}

	return req
}

// wants is the fixture without its secret.
func (f fixture) wants(tb testing.TB) map[string]any {
	tb.Helper()

	raw, err := json.Marshal(f.body)
	require.NoError(tb, err)

	out := dialecttest.Object(tb, raw)
	delete(out, "secret_key")

	return out
}

func (f fixture) payload() any {
	for _, key := range []string{"payload", "data"} {
		if p, ok := f.body[key]; ok {
			return p
		}
	}

	return f.body
}

// old reports whether the fixture's version wrote recipients for visibility.
func (f fixture) old() bool {
	_, organization := f.body["organization_id"]
	_, license := f.body["license_id"]

	return f.bare || !organization && (!license || !strings.Contains(f.name, "v3.3"))
}

func allFixtures(tb testing.TB) []fixture {
	tb.Helper()

	var all []fixture

	for _, f := range dialecttest.Read(tb, "*.json", "by-version/*/*.json", "v3.0-beta-bare/*.json") {
		all = append(all, load(tb, f))
	}

	require.Len(tb, all, 160, "fixtures")

	return all
}

func load(tb testing.TB, printed dialecttest.Fixture) fixture {
	tb.Helper()

	f := fixture{
		name: printed.Name, bare: strings.Contains(printed.Path, "beta-bare"), body: dialecttest.Object(tb, printed.Body),
	}
	f.action, _, _ = strings.Cut(path.Base(printed.Path), "-") // samples of one event are numbered

	if f.body["action"] == "<action>" { // as the 3.0 page prints it
		f.body["action"] = f.action
	}

	if payload, ok := f.payload().(map[string]any); ok {
		f.fill(tb, payload)
	}

	return f
}

// fill puts objects where the pages print {}.
func (f fixture) fill(tb testing.TB, payload map[string]any) {
	tb.Helper()

	put := func(in map[string]any, key, object string) {
		if value, ok := in[key].(map[string]any); ok && len(value) == 0 {
			in[key] = f.aged(readObject(tb, object))
		}
	}

	userObject := "users/customer.json"
	if payload["user_type"] == "agent" {
		userObject = "users/agent.json"
	}

	put(payload, "event", "events/message.json")
	put(payload, "user", userObject)
	put(payload, "customer", "users/customer.json")
	put(payload, "typing_indicator", "rtm/typing_indicator.json")
	put(payload, "sneak_peek", "rtm/sneak_peek.json")

	if chat, ok := payload["chat"].(map[string]any); ok {
		put(chat, "thread", "other-structures/thread.json")

		if users, ok := chat["users"].([]any); ok && len(users) == 0 {
			chat["users"] = []any{
				readObject(tb, "users/customer.json"),
				readObject(tb, "users/agent.json"),
			}
		}
	}
}

// aged renames what was called otherwise in the fixture's version.
func (f fixture) aged(object map[string]any) map[string]any {
	if _, isUser := object["present"]; isUser || !f.old() {
		return object
	}

	if seen, ok := object["visibility"]; ok {
		object["recipients"] = seen
		delete(object, "visibility")
	}

	if events, ok := object["events"].([]any); ok {
		for _, event := range events {
			f.aged(event.(map[string]any))
		}
	}

	return object
}

// readObject reads the published object of a file below objects.
func readObject(tb testing.TB, file string) map[string]any {
	tb.Helper()

	raw, err := os.ReadFile(filepath.Join(dialecttest.Fixtures, "objects", filepath.FromSlash(file)))
	require.NoError(tb, err)

	return dialecttest.Object(tb, raw)
}

func decode(tb testing.TB, f fixture) []signals.Event {
	tb.Helper()

	return dialecttest.Decode(tb, livechat.Dialect{}, f.request(tb), source())
}

// normal makes JSON comparable: the same instant has one form, and what is
// empty is as if it were absent.
func normal(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := map[string]any{}

		for key, inner := range v {
			if n := normal(inner); n != nil {
				out[key] = n
			}
		}

		if len(out) == 0 {
			return nil
		}

		return out
	case []any:
		out := make([]any, 0, len(v))

		for _, inner := range v {
			out = append(out, normal(inner))
		}

		if len(out) == 0 {
			return nil
		}

		return out
	case string:
		if v == "" {
			return nil
		}

		if at, err := time.Parse(time.RFC3339, v); err == nil {
			return at.UTC().Format(time.RFC3339Nano)
		}

		return v
	default:
		return v
	}
}
