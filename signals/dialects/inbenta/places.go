package inbenta

// chatPlaces are where data may name its chat.
func chatPlaces() []place {
	return []place{
		{"chatId"},
		{"chat"},
		{"chat", "id"},
		{"chat_id"},
		{"message", "chat"},
		{"message", "chat", "id"},
		{"message", "chatId"},
		{"data", "chatId"},
		{"data", "chat"},
		{"data", "chat", "id"},
		{"id"},
	}
}

// chatHome is where an event of this name is written to name its chat.
func chatHome(trigger string, data object) place {
	switch {
	case data.in("chat") != nil, trigger == chatsCreate, trigger == chatsNew:
		return place{"chat", "id"}
	case trigger == messagesNew, trigger == messagesRead, trigger == messagesReceived:
		return place{"message", "chat"}
	default:
		return place{"chatId"}
	}
}

// userPlaces are where data may name who an event is about.
func userPlaces() []place {
	return []place{{"userId"}, {"user"}, {"user", "id"}, {"user_id"}, {"agentId"}, {"agent"}, {"agent", "id"}}
}

func userHome(data object) place {
	if data.in("user") != nil {
		return place{"user", "id"}
	}

	return place{"userId"}
}

func senderPlaces() []place {
	return append([]place{{"message", "sender"}, {"message", "sender", "id"}, {"sender"}, {"sender", "id"}}, userPlaces()...)
}

func senderHome() place { return place{"message", "sender"} }

func readPlaces() []place { return []place{{"message", "id"}, {"messageId"}, {"message"}} }

func readHome() place { return place{"message", "id"} }

func reasonPlaces() []place { return []place{{"extraData", "reason"}, {"reason"}} }

func reasonHome() place { return place{"extraData", "reason"} }

func ticketPlaces() []place { return []place{{"data", "ticketId"}, {"ticketId"}} }

func ticketHome() place { return place{"data", "ticketId"} }

// positionPlaces are where queues:update may say the position, the first being
// that of the documented form.
func positionPlaces() []place {
	return []place{{"data", "queuePosition"}, {"queuePosition"}, {"data", "position"}, {"position"}}
}
