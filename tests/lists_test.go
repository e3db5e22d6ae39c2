package tests_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

type viewPage struct {
	Conversations []signals.View `json:"conversations"`
	Next          string         `json:"next"`
}

// all walks a list page by page and returns the ids.
func (p *process) all(query, limit string) []string {
	p.t.Helper()

	var (
		page viewPage
		ids  []string
	)

	for cursor := ""; ; cursor = page.Next {
		page = viewPage{}
		p.answer(http.MethodGet, "/v1/conversations?"+query+"&limit="+limit+"&cursor="+url.QueryEscape(cursor), nil, &page)

		for _, view := range page.Conversations {
			require.Empty(p.t, view.Timeline)
			require.Empty(p.t, view.Participants)

			ids = append(ids, view.ID)
		}

		if page.Next == "" {
			slices.Sort(ids)

			return ids
		}
	}
}

func checkLists(t *testing.T, parley *process) {
	t.Helper()

	for _, id := range []string{"closed-1", "closed-2", "closed-3", "open-1", "open-2"} {
		parley.post("/webhooks/lists", ownMessage(id, "m1"))
	}

	key := func(id string) signals.Key { return signals.Key{Source: "lists", Conversation: id} }

	for _, id := range []string{"closed-1", "closed-2", "closed-3"} {
		parley.answer(http.MethodPost, conversationPath(key(id))+"/close", "{}", &signals.View{})
	}

	parley.post("/webhooks/lists", map[string]any{
		"id": "t1", "type": signals.TagAdded, "conversation": "open-1", "tag": map[string]any{"name": "it's vip"},
	})
	parley.answer(http.MethodPost, conversationPath(key("open-1"))+"/accept", map[string]any{"agent_id": "o'smith"}, &signals.View{})

	for _, id := range []string{"closed-1", "closed-2", "closed-3"} {
		parley.eventually(key(id), 10*time.Second, "closed", func(v signals.View) bool { return v.Status == signals.StatusClosed })
	}

	for _, list := range []struct {
		query string
		want  []string
	}{
		{"source=lists&status=closed", []string{"closed-1", "closed-2", "closed-3"}},
		{"source=lists", []string{"closed-1", "closed-2", "closed-3", "open-1", "open-2"}},
		{"source=lists&status=open", []string{"open-2"}},
		{"source=lists&status=active", []string{"open-1"}},
		{"source=lists&agent=" + url.QueryEscape("o'smith"), []string{"open-1"}},
		{"source=lists&tag=" + url.QueryEscape("it's vip"), []string{"open-1"}},
		{"source=lists&unreplied=true", []string{"open-1", "open-2"}},
		{"source=lists&unreplied=true&status=closed", []string{"closed-1", "closed-2", "closed-3"}},
		{"source=accounts", nil},
	} {
		for _, limit := range []string{"1", "2", "200"} {
			// Temporal's visibility lags a moment.
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				assert.Equal(c, list.want, parley.all(list.query, limit), "%s by %s", list.query, limit)
			}, 10*time.Second, 50*time.Millisecond)
		}
	}

	var tickets struct {
		Tickets []signals.Ticket `json:"tickets"`
		Next    string           `json:"next"`
	}

	found := map[string]bool{}

	for cursor := ""; ; cursor = tickets.Next {
		tickets.Tickets = nil
		parley.answer(http.MethodGet, "/v1/tickets?source=lists&status=created&limit=2&cursor="+url.QueryEscape(cursor), nil, &tickets)

		for i := range tickets.Tickets {
			found[tickets.Tickets[i].Conversation] = true

			require.True(t, tickets.Tickets[i].Unreplied)
		}

		if tickets.Next == "" {
			break
		}
	}

	require.Equal(t, map[string]bool{"closed-1": true, "closed-2": true, "closed-3": true}, found)
}

func checkBadParameters(t *testing.T, parley *process) {
	t.Helper()

	for query, field := range map[string]string{
		"limit=0": "limit", "limit=201": "limit", "limit=x": "limit", "cursor=zzz": "cursor", "colour=red": "colour",
		"status=gone": "status", "source=No+such": "source", "unreplied=maybe": "unreplied", "status=open&status=closed": "status",
	} {
		told := parley.problemOf(http.StatusUnprocessableEntity, http.MethodGet, "/v1/conversations?"+query, nil)
		require.Equal(t, field, told.Field, query)
	}

	parley.problemOf(http.StatusNotFound, http.MethodGet, "/v1/conversations/livechat/nobody", nil)
	parley.problemOf(http.StatusNotFound, http.MethodGet, "/v1/tickets/nothing", nil)
	parley.problemOf(http.StatusNotFound, http.MethodGet, "/v1/sources/nobody/events", nil)
	parley.problemOf(http.StatusNotFound, http.MethodGet, "/nowhere", nil)
}
