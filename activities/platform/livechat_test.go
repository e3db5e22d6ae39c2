package platform_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/activities/outbound"
	"github.com/parleyhq/parley/activities/platform"
	"github.com/parleyhq/parley/signals"
	"github.com/parleyhq/parley/workflows/policy"
)

func TestTheRequestIsTheOneThatLiveChatDocuments(t *testing.T) {
	t.Parallel()

	const stranger = `,"ignore_requester_presence":true}`

	for name, tc := range map[string]struct {
		command signals.PlatformCommand
		body    string
		moved   string
	}{
		"to an agent": {
			toAgent("jones@example.com"),
			`{"id":"PJ0MRSHTDG","target":{"type":"agent","ids":["jones@example.com"]},"ignore_agents_availability":true` + stranger,
			"jones@example.com",
		},
		"to a group": {
			toGroup("2", "smith@example.com"),
			`{"id":"PJ0MRSHTDG","target":{"type":"group","ids":[2]},"ignore_agents_availability":true` + stranger,
			"kim@example.com",
		},
		"away from a silent agent": {
			reassign(),
			`{"id":"PJ0MRSHTDG","ignore_agents_availability":false` + stranger,
			"jones@example.com",
		},
		"away from a silent agent, in a group": {
			signals.PlatformCommand{Action: signals.PlatformReassign, From: "smith@example.com", GroupID: "2"},
			`{"id":"PJ0MRSHTDG","target":{"type":"group","ids":[2]},"ignore_agents_availability":false` + stranger,
			"kim@example.com",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			fake := newFake(t)

			receipt, err := newSender(t, fake.source()).Send(t.Context(), orderOf(tc.command))
			require.NoError(t, err)
			require.Contains(t, receipt.Detail, "200 OK in ")

			asked, moved := fake.did()
			require.Equal(t, []string{"get_chat", "transfer_chat"}, asked)
			require.Equal(t, []string{tc.moved}, moved)
			require.JSONEq(t, `{"chat_id":"PJ0MRSHTDG"}`, fake.bodies[0])
			require.Equal(t, tc.body, fake.bodies[1])
		})
	}
}

// TestARepeatedCommandMovesNothing: whatever the command is, the second time
// finds it carried out.
func TestARepeatedCommandMovesNothing(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		command signals.PlatformCommand
		before  func(f *fakeLiveChat)
	}{
		"to an agent":                       {toAgent("jones@example.com"), nil},
		"to an agent, from nobody":          {signals.PlatformCommand{Action: signals.PlatformTransfer, AgentID: "jones@example.com"}, nil},
		"to a group":                        {toGroup("2", "smith@example.com"), nil},
		"to the group it is in":             {toGroup("0", "smith@example.com"), nil},
		"to the group it is in, from a bot": {toGroup("0", ""), withBot},
		"to a group where it waits": {
			toGroup("3", "smith@example.com"), nil,
		},
		"to whoever is free":             {signals.PlatformCommand{Action: signals.PlatformTransfer, From: "smith@example.com"}, nil},
		"to whoever is free, from a bot": {signals.PlatformCommand{Action: signals.PlatformTransfer}, withBot},
		"away from a silent agent":       {reassign(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			fake := newFake(t)
			if tc.before != nil {
				tc.before(fake)
			}

			sender := newSender(t, fake.source())

			for range 3 {
				_, err := sender.Send(t.Context(), orderOf(tc.command))
				require.NoError(t, err)
			}

			_, moved := fake.did()
			require.Len(t, moved, 1)
		})
	}
}

func withBot(f *fakeLiveChat) { f.users = map[string]bool{bot: true} }

func TestAChatThatIsThereAlreadyIsNotMoved(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		users   map[string]bool
		command signals.PlatformCommand
		detail  string
	}{
		"with the agent":                   {map[string]bool{"Jones@example.com": true}, toAgent("jones@example.com"), "the agent has the chat"},
		"taken by another agent meanwhile": {map[string]bool{"lee@example.com": true}, reassign(), "the chat is not with the agent any more"},
		"left by the silent agent":         {map[string]bool{"smith@example.com": false}, reassign(), "the chat is not with the agent any more"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			fake := newFake(t)
			fake.users = tc.users

			receipt, err := newSender(t, fake.source()).Send(t.Context(), orderOf(tc.command))
			require.NoError(t, err)
			require.Contains(t, receipt.Detail, tc.detail)

			asked, _ := fake.did()
			require.Equal(t, []string{"get_chat"}, asked)
		})
	}
}

// TestAnAgentWhoComesMeanwhile: LiveChat says that the agent is there, and that
// counts only if the visitor sees it.
func TestAnAgentWhoComesMeanwhile(t *testing.T) {
	t.Parallel()

	fake := newFake(t)
	fake.answer = func(w http.ResponseWriter, _ *http.Request) {
		fake.users["jones@example.com"] = true
		fake.give(w, "jones@example.com", true)
	}

	receipt, err := newSender(t, fake.source()).Send(t.Context(), orderOf(toAgent("jones@example.com")))
	require.NoError(t, err)
	require.Equal(t, "the agent has the chat already", receipt.Detail)

	asked, _ := fake.did()
	require.Equal(t, []string{"get_chat", "transfer_chat", "get_chat"}, asked)

	supervised := newFake(t)
	supervised.users["jones@example.com"] = false

	_, err = newSender(t, supervised.source()).Send(t.Context(), orderOf(toAgent("jones@example.com")))
	require.True(t, outbound.IsPermanent(err))
	require.ErrorContains(t, err, "One or more of requested agents are already present in the chat")
}

// TestAChatTooLargeToLookAt: an agent is told all the same, since LiveChat
// itself refuses the second time; where nothing would, the chat stays.
func TestAChatTooLargeToLookAt(t *testing.T) {
	t.Parallel()

	fake := newFake(t)
	fake.padding = 5 << 20
	sender := newSender(t, fake.source())

	for range 2 {
		_, err := sender.Send(t.Context(), orderOf(toAgent("jones@example.com")))
		require.NoError(t, err)
	}

	_, moved := fake.did()
	require.Equal(t, []string{"jones@example.com"}, moved)

	_, err := sender.Send(t.Context(), orderOf(signals.PlatformCommand{Action: signals.PlatformReassign, From: "jones@example.com"}))
	require.True(t, outbound.IsPermanent(err))
	require.ErrorContains(t, err, "too large")

	_, moved = fake.did()
	require.Len(t, moved, 1)

	long := newFake(t)
	long.padding = 1 << 20

	_, err = newSender(t, long.source()).Send(t.Context(), orderOf(reassign()))
	require.NoError(t, err, "a long chat is read whole")
}

func TestRefusalsForGood(t *testing.T) {
	t.Parallel()

	answers := func(status int, body string) func(f *fakeLiveChat) {
		return func(f *fakeLiveChat) {
			f.answer = func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				_, _ = w.Write([]byte(body))
			}
		}
	}

	for name, tc := range map[string]struct {
		before  func(f *fakeLiveChat)
		command signals.PlatformCommand
		reason  string
	}{
		"the token is wrong": {
			func(f *fakeLiveChat) { f.auth = "Bearer another" }, reassign(), "get_chat: 401 authentication Invalid access token Basic …",
		},
		"the chat is over": {func(f *fakeLiveChat) { f.active = false }, reassign(), "the chat is not active any more"},
		"the chat is another": {
			nil, signals.PlatformCommand{Action: signals.PlatformReassign, From: "smith@example.com", Thread: "T2"}, "another thread",
		},
		"nobody is free": {
			func(f *fakeLiveChat) { f.free = nil }, reassign(), "transfer_chat: 400 groups_offline Groups offline",
		},
		"no group's number": {nil, toGroup("sales", ""), `numbers, and "sales" is none`},
		"no access": {
			answers(http.StatusForbidden, `{"error":{"type":"missing_access","message":"Missing access"}}`), reassign(),
			"transfer_chat: 403 missing_access Missing access",
		},
		"no form of LiveChat's": {answers(http.StatusTeapot, "<html>"), reassign(), "transfer_chat: 418 I'm a teapot"},
		"data of another kind": {
			answers(http.StatusBadRequest, `{"error":{"type":"validation","message":"Wrong\nformat\u202e","data":[1]}}`), reassign(),
			"transfer_chat: 400 validation Wrong format",
		},
		"an unknown command": {nil, signals.PlatformCommand{Action: "burn"}, `there is no command "burn"`},
		"from nobody":        {nil, signals.PlatformCommand{Action: signals.PlatformReassign}, "does not say from whom"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			fake := newFake(t)
			if tc.before != nil {
				tc.before(fake)
			}

			_, err := newSender(t, fake.source()).Send(t.Context(), orderOf(tc.command))
			require.ErrorContains(t, err, tc.reason)
			require.True(t, outbound.IsPermanent(err))
			require.NotContains(t, fmt.Sprintf("%+v", err), "sEcReT")
			require.NotContains(t, err.Error(), base64.StdEncoding.EncodeToString([]byte(account+":"+token)))

			_, moved := fake.did()
			require.Empty(t, moved)
		})
	}
}

func TestRefusalsThatMayPass(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		status int
		kind   string
		after  string
		wants  time.Duration
	}{
		"too many requests":              {http.StatusTooManyRequests, "too_many_requests", "7", 7 * time.Second},
		"too many, without a time":       {http.StatusTooManyRequests, "", "", 0},
		"by its type alone":              {http.StatusBadRequest, "request_timeout", "", 0},
		"request timeout":                {http.StatusRequestTimeout, "", "", 0},
		"internal":                       {http.StatusInternalServerError, "internal", "", 0},
		"unavailable":                    {http.StatusServiceUnavailable, "service_unavailable", "3", 3 * time.Second},
		"a gateway":                      {http.StatusBadGateway, "", "", 0},
		"a redirect, which none follows": {http.StatusFound, "", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			fake := newFake(t)
			fake.answer = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", tc.after)
				w.Header().Set("Location", "/v3.6/agent/action/get_chat")
				refuse(w, tc.status, tc.kind, "Not now", "")
			}

			_, err := newSender(t, fake.source()).Send(t.Context(), orderOf(reassign()))

			failure, ok := errors.AsType[*outbound.Failure](err)
			require.True(t, ok)
			require.False(t, failure.Permanent)
			require.Equal(t, tc.wants, failure.RetryAfter)
			require.Contains(t, failure.Reason, fmt.Sprintf("transfer_chat: %d", tc.status))
		})
	}
}

func TestASlowOrSilentPlatform(t *testing.T) {
	t.Parallel()

	fake := newFake(t)
	done := make(chan struct{})
	fake.answer = func(http.ResponseWriter, *http.Request) { <-done }

	t.Cleanup(func() { close(done) })

	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	t.Cleanup(cancel)

	_, err := newSender(t, fake.source()).Send(ctx, orderOf(reassign()))
	require.ErrorContains(t, err, "no answer in time")
	require.False(t, outbound.IsPermanent(err))

	broken := newFake(t)
	broken.faults["get_chat"] = []fault{cut}

	_, err = newSender(t, broken.source()).Send(t.Context(), orderOf(reassign()))
	require.ErrorContains(t, err, "the receiver hung up")
	require.False(t, outbound.IsPermanent(err))
}

func TestWhoAsksAndWhere(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		change func(c *policy.Command)
		before func(f *fakeLiveChat)
	}{
		"a personal access token": {nil, nil},
		"a bearer's token": {
			func(c *policy.Command) { c.Account = "" }, func(f *fakeLiveChat) { f.auth = "Bearer " + token },
		},
		"a bot's token, which names no region": {
			func(c *policy.Command) { c.Account, c.Token = "", "sEcReT" },
			func(f *fakeLiveChat) { f.auth, f.region = "Bearer sEcReT", "" },
		},
		"the wrong region is told":     {nil, func(f *fakeLiveChat) { f.region = "dal" }},
		"the address names a version":  {func(c *policy.Command) { c.URL += "/v3.6" }, nil},
		"the address ends in a stroke": {func(c *policy.Command) { c.URL += "/" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			fake := newFake(t)
			if tc.before != nil {
				tc.before(fake)
			}

			change := tc.change
			if change == nil {
				change = func(*policy.Command) {}
			}

			_, err := newSender(t, fake.source(change)).Send(t.Context(), orderOf(toAgent("jones@example.com")))
			require.NoError(t, err)

			asked, _ := fake.did()
			require.Equal(t, []string{"get_chat", "transfer_chat"}, asked)
		})
	}

	t.Run("a region that never fits", func(t *testing.T) {
		t.Parallel()

		var asked atomic.Int32

		fake := newFake(t)
		fake.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, http.StatusMisdirectedRequest, "misdirected_request", "Wrong region", strings.Repeat("x", int(asked.Add(1))))
		})

		_, err := newSender(t, fake.source()).Send(t.Context(), orderOf(reassign()))
		require.ErrorContains(t, err, "misdirected_request")
		require.True(t, outbound.IsPermanent(err))
		require.Equal(t, int32(2), asked.Load())
	})
}

func TestOnlySourcesWithACommandTakeOne(t *testing.T) {
	t.Parallel()

	fake := newFake(t)
	quiet := policy.NewSource("acquire")
	sender := newSender(t, fake.source(), quiet)

	order := orderOf(reassign())
	order.Target = signals.PlatformTarget("acquire")

	_, err := sender.Send(t.Context(), order)
	require.True(t, outbound.IsPermanent(err))
	require.ErrorContains(t, err, "takes no commands")

	order.Platform = nil
	_, err = sender.Send(t.Context(), order)
	require.True(t, outbound.IsPermanent(err))

	asked, _ := fake.did()
	require.Empty(t, asked)
}

func TestPrivateAddressesAreRefused(t *testing.T) {
	t.Parallel()

	fake := newFake(t)
	client := outbound.NewClient(outbound.Config{})
	t.Cleanup(client.Close)

	sender, err := platform.New([]policy.Source{fake.source()}, client)
	require.NoError(t, err)

	_, err = sender.Send(t.Context(), orderOf(reassign()))
	require.ErrorIs(t, err, outbound.ErrForbiddenAddress)

	asked, _ := fake.did()
	require.Empty(t, asked)
}

func TestSourcesThatCannotBeCommanded(t *testing.T) {
	t.Parallel()

	fake := newFake(t)

	for name, change := range map[string]func(c *policy.Command){
		"unknown kind": func(c *policy.Command) { c.Kind = "telegraph" },
		"no address":   func(c *policy.Command) { c.URL = "sEcReT" },
		"no token":     func(c *policy.Command) { c.Token = "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := platform.New([]policy.Source{fake.source(change)}, nil)
			require.ErrorContains(t, err, "sources.livechat.command")
			require.NotContains(t, err.Error(), "sEcReT")
		})
	}
}
