package inbenta

// chatPlaces are where data may name its chat.
func chatPlaces() []place {
	return []place{
		{"chatId"},
		{keyChat},
		{keyChat, "id"},
		{"chat_id"},
		{keyMessage, keyChat},
		{keyMessage, keyChat, "id"},
		{keyMessage, "chatId"},
		{"data", "chatId"},
		{"data", keyChat},
		{"data", keyChat, "id"},
		{"id"},
	}
}

// chatHome is where an event of this name is written to name its chat.
func chatHome(trigger string, data object) place {
	switch {
	case data.in(keyChat) != nil, trigger == chatsCreate, trigger == chatsNew:
		return place{keyChat, "id"}
	case trigger == messagesNew, trigger == messagesRead, trigger == messagesReceived:
		return place{keyMessage, keyChat}
	default:
		return place{"chatId"}
	}
}

// userPlaces are where data may name who an event is about.
func userPlaces() []place {
	return []place{{"userId"}, {keyUser}, {keyUser, "id"}, {"user_id"}, {"agentId"}, {"agent"}, {"agent", "id"}}
}

func userHome(data object) place {
	if data.in(keyUser) != nil {
		return place{keyUser, "id"}
	}

	return place{"userId"}
}

func senderPlaces() []place {
	return append([]place{{keyMessage, "sender"}, {keyMessage, "sender", "id"}, {"sender"}, {"sender", "id"}}, userPlaces()...)
}

func senderHome() place { return place{keyMessage, "sender"} }

func readPlaces() []place { return []place{{keyMessage, "id"}, {"messageId"}, {keyMessage}} }

func readHome() place { return place{keyMessage, "id"} }

func reasonPlaces() []place { return []place{{"extraData", "reason"}, {"reason"}} }

func reasonHome() place { return place{"extraData", "reason"} }

func ticketPlaces() []place { return []place{{"data", "ticketId"}, {"ticketId"}} }

func ticketHome() place { return place{"data", "ticketId"} }

func positionPlaces() []place {
	return []place{positionHome(), {"queuePosition"}, {"data", "position"}, {"position"}}
}

func positionHome() place { return place{"data", "queuePosition"} }
