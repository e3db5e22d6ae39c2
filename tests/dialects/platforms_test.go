package dialects_test

import (
	"net/http"
	"time"
)

// livechat's envelope has no time: only messages, forms and what was seen say
// when they happened.
func livechat(w *writer) {
	const thread, ann, smith, jones = "T1", "345f8235-d60d-433e-63c5-7f813a6ffe25", "smith@example.com", "jones@example.com"

	payload := func(name string, fields map[string]any) map[string]any {
		body := w.fixture(name)
		merged(w.inner(body, "payload"), map[string]any{"chat_id": chatID, "thread_id": thread})
		merged(w.inner(body, "payload"), fields)

		return body
	}
	said := func(id, author, text string) map[string]any {
		body := payload("incoming_event", nil)
		merged(w.inner(body, "payload", "event"), map[string]any{
			"id": id, "author_id": author, "text": text, "created_at": w.now().Format(time.RFC3339Nano),
		})

		return body
	}

	opened := w.fixture("incoming_chat")
	chat := w.inner(opened, "payload", "chat")
	chat["id"] = chatID
	merged(w.inner(chat, "thread"), map[string]any{"id": thread, "created_at": w.now().Format(time.RFC3339Nano), "events": []any{}})
	w.told("open", opened)
	w.post("message", said("T1_1", ann, "Is anyone there?"))

	joined := payload("user_added_to_chat", map[string]any{"user_type": "agent"})
	w.inner(joined, "payload")["user"] = map[string]any{
		"id": smith, "name": "Agent Smith", "type": "agent", "present": true, "visibility": "all",
	}
	w.told("join", joined)
	w.post("reply", said("T1_2", smith, "How may I help?"))
	w.told("tag", payload("thread_tagged", nil))
	w.post("seen", payload("events_marked_as_seen", map[string]any{"user_id": ann, "seen_up_to": w.now().Format(time.RFC3339Nano)}))
	w.told("transfer", payload("chat_transferred", map[string]any{
		"requester_id": smith, "transferred_to": map[string]any{"agent_ids": []any{jones}}, "queue": nil,
	}))
	w.told("leave", payload("user_removed_from_chat", map[string]any{"user_id": smith}))
	w.post("question", said("T1_3", ann, "My order is late"))
	w.post("second question", said("T1_4", ann, "Hello?"))

	edited := payload("event_updated", nil)
	merged(w.inner(edited, "payload", "event"), map[string]any{
		"id": "T1_4", "author_id": ann, "text": "Hello??", "created_at": w.now().Format(time.RFC3339Nano),
	})
	w.told("edit", edited)
	w.told("delete", payload("event_deleted", map[string]any{"event_id": "T1_4"}))
	w.post("answer", said("T1_5", jones, "It left today"))
	w.told("close", payload("chat_deactivated", map[string]any{"user_id": jones}))
	w.arrivalOrders = []string{"leave before join", "transfer before join"}
	w.backAndForth("", payload("thread_tagged", nil), payload("thread_untagged", nil))
}

func inbenta(w *writer) {
	data := func(name string, fields map[string]any) map[string]any {
		body := w.fixture(name)
		body["created_at"] = w.now().Unix()
		merged(w.inner(body, "data"), fields)

		return body
	}
	said := func(name, id, text string) map[string]any {
		body := data(name, nil)
		message := w.inner(body, "data", "message")
		message["id"], message["message"] = id, text

		if message["chat"] != nil {
			message["chat"] = chatID
		} else {
			w.inner(body, "data")["chatId"] = chatID
		}

		return body
	}
	of := map[string]any{"chatId": chatID}

	opened := data("chats-create", nil)
	w.inner(opened, "data", "chat")["id"] = chatID
	w.post("open", opened)
	w.post("message", said("messages-new.text", "m1", "Hello"))

	asked := data("chats-assign", nil)
	w.inner(asked, "data", "chat")["id"] = chatID
	w.post("assign", asked)
	w.post("queue", data("queues-update", of))

	again := data("chats-assign", nil)
	w.inner(again, "data", "chat")["id"] = chatID
	w.post("assign again", again)
	w.post("accept", data("invitations-accept", of))
	w.post("join", data("chats-join.agent", of))
	w.post("writing", data("users-activity.writing", of))
	w.post("reply", said("messages-new.sender", "m2", "Hello, Ann"))
	w.post("read", data("messages-read", of))
	w.post("away", data("users-activity.leave", of))
	w.post("back", data("users-activity.reconnect", of))
	w.post("question", said("messages-new.text", "m3", "One more"))
	w.post("answer", said("messages-new.sender", "m4", "Let me see"))
	w.post("ticket", data("system-info.ticket", of))
	w.post("leave", data("chats-leave", of))
	w.post("close", data("chats-close.user", of))
	w.backAndForth("", data("users-activity.writing", of), data("users-activity.not-writing", of))
}

// acquire's version 2: a case's status comes with the transcript so far.
func acquire(w *writer) {
	var transcript []any

	date := func() string {
		return w.now().UTC().Format("Mon Jan 02 2006 15:04:05") + " GMT+0000 (Coordinated Universal Time)"
	}
	wrote := func(id, senderType, text string) map[string]any {
		message := map[string]any{
			"id": id, "channel": "chat", "senderId": "5", "senderType": senderType, "type": "message", "message": text, "seen": "yes",
			"dateCreated": date(),
		}
		transcript = append(transcript, message)

		return message
	}
	of := func(name string, fields map[string]any) map[string]any {
		body := w.fixture(name)
		merged(w.inner(body, "data"), map[string]any{"caseId": chatID})
		merged(w.inner(body, "data"), fields)

		return body
	}

	wrote("1", "contact", "Hello?")
	w.post("open", of("derived/case-new", map[string]any{"messages": transcript}))
	w.post("pending", of("derived/case-status.pending", map[string]any{"messages": transcript}))
	w.post("queue", of("derived/case-status.queue", map[string]any{"messages": transcript}))
	w.told("invite", of("derived/user-case-invite", nil))
	w.told("join", of("derived/user-case-joined", nil))

	wrote("2", "user", "How may I help?")
	w.post("active", of("derived/case-status.active", map[string]any{"messages": transcript}))
	w.post("question", of("derived/case-message-new.flat", wrote("3", "contact", "My order is late")))
	w.post("answer", of("derived/case-message-new.flat", wrote("4", "user", "It left today")))
	w.post("close", of("case-status", map[string]any{"messages": transcript}))
	w.backAndForth("", of("derived/case-status.active", map[string]any{"messages": nil, "contact": nil}),
		of("derived/case-status.queue", map[string]any{"messages": nil, "contact": nil}))
}

// pypestream's calls say nothing about when.
func pypestream(w *writer) {
	const base = "/contactCenter/v1/conversations/" + chatID

	call := func(name, method, path string, body map[string]any) {
		w.mute = append(w.mute, name)
		w.add(name, method, base+path, body)
	}
	said := func(text, side string) map[string]any {
		return merged(w.fixture("message.request"), map[string]any{"content": text, "side": side, "senderId": side + "-1"})
	}

	call("escalate", http.MethodPost, "/escalate", w.fixture("escalate.request"))
	call("type", http.MethodPost, "/type", w.fixture("type.request"))
	call("message", http.MethodPut, "/messages/m1", said("Hello?", "user"))
	call("reply", http.MethodPut, "/messages/m2", said("How may I help?", "agent"))
	call("question", http.MethodPut, "/messages/m3", said("My order is late", "user"))
	call("end", http.MethodPost, "/end", w.fixture("derived/end.request"))
	w.arrivalOrders = []string{
		"reply before message", "question before message", "question before reply",
		"end before escalate", "end before message", "end before reply", "end before question",
	}
	w.backAndForth(base+"/type", map[string]any{"typing": true}, map[string]any{"typing": false})
}

func twt(w *writer) {
	asked := w.now().Add(-time.Minute).Unix()
	sent := func(name string, fields map[string]any) map[string]any {
		body := w.fixture(name)
		body["created_at"] = w.now().Unix()

		content, ok := body["content"].([]any)
		if !ok {
			w.Fatal("content")
		}

		one, ok := content[0].(map[string]any)
		if !ok {
			w.Fatal("content")
		}

		merged(one, map[string]any{"created_at": asked})
		merged(one, fields)

		return body
	}

	w.post("form", sent("PRE_CHAT_FORM_SUBMIT", map[string]any{"created_at": w.now().Unix()}))

	for push, status := range []string{"1", "1", "2", "3"} {
		w.post("push "+string(rune('1'+push)), sent("UNREPLIED", map[string]any{"push_times": push + 1, "status": status}))
	}

	w.post("replied", sent("UNREPLIED", map[string]any{"push_times": 4, "status": "4"}))

	asked = w.now().Unix() - 5
	w.post("next", sent("UNREPLIED", map[string]any{"push_times": 1, "status": "1"}))
	w.post("offline form", sent("OFFLINE_FORM_SUBMIT", map[string]any{"created_at": w.now().Unix()}))
	w.backAndForth("", sent("UNREPLIED", map[string]any{"push_times": 1, "status": "1"}),
		sent("UNREPLIED", map[string]any{"push_times": 1, "status": "4"}))
}

func parley(w *writer) {
	visitor, agent := map[string]any{"id": "ann", "role": "visitor"}, map[string]any{"id": "smith", "role": "agent"}
	event := func(id, kind string, actor map[string]any, fields map[string]any) map[string]any {
		return merged(map[string]any{
			"id": id, "type": kind, "conversation": chatID, "at": w.now().Format(time.RFC3339Nano), "actor": actor,
		}, fields)
	}
	said := func(id, text string, actor map[string]any) map[string]any {
		return event(id, "message.received", actor, map[string]any{"message": map[string]any{"id": id, "text": text, "kind": "text"}})
	}

	w.post("open", event("1", "conversation.opened", visitor, map[string]any{"details": map[string]any{"subject": "Order"}}))
	w.post("message", said("2", "Hello?", visitor))
	w.post("escalate", event("3", "escalation.requested", visitor, map[string]any{"escalation": map[string]any{"skill": "x"}}))
	w.post("accept", event("4", "agent.accepted", agent, nil))
	w.post("reply", said("5", "How may I help?", agent))
	w.post("tag", event("6", "tag.added", nil, map[string]any{"tag": map[string]any{"name": "vip"}}))
	w.post("untag", event("7", "tag.removed", nil, map[string]any{"tag": map[string]any{"name": "vip"}}))
	w.post("question", said("8", "One more", visitor))
	w.post("leave", event("9", "participant.left", agent, map[string]any{"participant": map[string]any{"id": "smith", "role": "agent"}}))
	w.post("transfer", event("10", "conversation.transferred", nil, map[string]any{"transfer": map[string]any{"agent_ids": []any{"jones"}}}))
	w.post("answer", said("11", "Yes", map[string]any{"id": "jones", "role": "agent"}))
	w.post("typing", event("", "typing.changed", visitor, map[string]any{"typing": map[string]any{"on": true}}))
	w.post("close", event("12", "conversation.closed", agent, map[string]any{"closing": map[string]any{"by_role": "agent"}}))

	typing := func(on bool) map[string]any {
		return map[string]any{"type": "typing.changed", "conversation": chatID, "typing": map[string]any{"on": on}}
	}
	w.backAndForth("", typing(true), typing(false))
}
