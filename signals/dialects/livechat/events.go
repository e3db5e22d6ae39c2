package livechat

import "github.com/parleyhq/parley/signals"

// Events returns what each webhook of LiveChat becomes, under every name that
// it has had. incoming_event becomes [signals.FormSubmitted] instead where a
// visitor filled in a form; the webhooks of a new chat bring the thread's
// messages along. Webhooks about applications, whose names are open, become
// [signals.AccountChanged].
func Events() map[string]signals.Type {
	all := map[string]signals.Type{}

	for kind, names := range map[signals.Type][]string{
		signals.ConversationOpened:      {"incoming_chat", "incoming_chat_thread"},
		signals.ConversationClosed:      {"chat_deactivated", "thread_closed"},
		signals.ConversationTransferred: {"chat_transferred"},
		signals.ConversationSummarized:  {"thread_summary_set"},
		signals.SystemNoted:             {"follow_up_requested"},
		signals.ParticipantJoined:       {"user_added_to_chat", "chat_user_added"},
		signals.ParticipantLeft:         {"user_removed_from_chat", "chat_user_removed"},
		signals.MessageReceived:         {"incoming_event"},
		signals.MessageUpdated:          {"event_updated"},
		signals.MessageDeleted:          {"event_deleted"},
		signals.MessageRead:             {"events_marked_as_seen", "last_seen_timestamp_updated"},
		signals.MessagePreview:          {"incoming_sneak_peek"},
		signals.TypingChanged:           {"incoming_typing_indicator"},
		signals.ButtonPressed:           {"incoming_rich_message_postback"},
		signals.TagAdded:                {"chat_thread_tagged", "thread_tagged"},
		signals.TagRemoved:              {"chat_thread_untagged", "thread_untagged"},
		signals.PropertiesUpdated: {
			"chat_properties_updated", "chat_thread_properties_updated", "thread_properties_updated", "event_properties_updated",
		},
		signals.PropertiesDeleted: {
			"chat_properties_deleted", "chat_thread_properties_deleted", "thread_properties_deleted", "event_properties_deleted",
		},
		signals.AccessChanged: {
			"access_granted", "access_revoked", "access_set", "chat_access_granted", "chat_access_revoked", "chat_access_updated",
		},
		signals.CustomerCreated:    {"customer_created", "incoming_customer"},
		signals.CustomerUpdated:    {"customer_session_fields_updated"},
		signals.AgentStatusChanged: {"routing_status_set", "agent_status_changed"},
		signals.MulticastReceived:  {"incoming_multicast"},
		signals.AccountChanged: {
			"agent_created", "agent_approved", "agent_updated", "agent_suspended", "agent_unsuspended", "agent_deleted",
			"bot_created", "bot_updated", "bot_deleted", "group_created", "group_updated", "group_deleted",
			"tag_created", "tag_updated", "tag_deleted",
			"auto_access_added", "auto_access_updated", "auto_access_deleted", "auto_accesses_updated",
		},
	} {
		for _, name := range names {
			all[name] = kind
		}
	}

	return all
}
